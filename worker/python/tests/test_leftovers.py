"""A worker in which an execution left something running asks to be replaced; threads of pools that wait do not count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from supervisor import Ended, Worker

from muster_worker.wire.messages import Goodbye

HEAD = """
import _thread, asyncio, concurrent.futures, http.server, multiprocessing.pool, queue, threading, time
event = threading.Event()
def main(params):
"""
LEFT = {
    "thread": "threading.Thread(target=event.wait, daemon=True, name='aide').start()",
    "timer": "t = threading.Timer(60, print); t.name = 'aide'; t.start()",
    "raw thread": "_thread.start_new_thread(event.wait, ())",
    "busy pool": "concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 60)",
    "busy thread pool": "multiprocessing.pool.ThreadPool(1).apply_async(time.sleep, (60,))",
    "server": "s = http.server.HTTPServer(('127.0.0.1', 0), None); threading.Thread(target=s.serve_forever, daemon=True, name='aide').start()",
    "loop": "threading.Thread(target=asyncio.new_event_loop().run_forever, name='aide').start()",
    "library's thread in user code": "q = queue.Queue(); type('T', (threading.Thread,), {'run': lambda self: q.get()})(name='aide', daemon=True).start()",
}
CLEAN = {
    "joined": "t = threading.Thread(target=int); t.start(); t.join()",
    "about to end": "threading.Thread(target=time.sleep, args=(0.02,)).start()",
    "idle pool": "return concurrent.futures.ThreadPoolExecutor(1).submit(sum, [1]).result()",
    "idle thread pool": "return multiprocessing.pool.ThreadPool(1).apply(sum, ([1],))",
    "to_thread": "return asyncio.run(asyncio.to_thread(sum, [1]))",
    "cancelled work": "p = concurrent.futures.ThreadPoolExecutor(1); p.submit(time.sleep, 0.01); p.submit(sum, [1]).cancel(); p.shutdown()",
    "failed work": "global kept; kept = concurrent.futures.ThreadPoolExecutor(1).submit(sum, None); kept.exception()",
    "map": "return multiprocessing.pool.ThreadPool(2).map(abs, range(100))",
    "executor of a loop": "loop = asyncio.new_event_loop(); return loop.run_until_complete(loop.run_in_executor(None, sum, [1]))",
}


@pytest.mark.parametrize("name", LEFT)
def test_what_runs_on_has_the_worker_replaced(worker: Worker, name: str) -> None:
    run = worker.code(f"{HEAD}    {LEFT[name]}\n    return 'done'\n")
    assert (run.result, run.idle.recycle) == ("done", True)
    said = worker.stderr_with("this worker asks to be replaced")
    assert run.seconds < 5
    assert "execution 00000000-0000-7000-8000-000000000001 left threads running" in said
    assert worker.run("conformance.echo", {"on": 1}).idle.recycle


@pytest.mark.parametrize("name", CLEAN)
def test_what_has_ended_or_waits_for_work_does_not(worker: Worker, name: str) -> None:
    run = worker.code(f"{HEAD}    {CLEAN[name]}\n")
    assert run.kind == "Succeeded" and not run.idle.recycle
    assert worker.stderr == ""


def test_a_thread_that_a_module_starts_is_the_modules(tmp_path) -> None:
    (tmp_path / "installed.py").write_text("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n")
    (tmp_path / "uses.py").write_text("from muster_worker import workflow\n@workflow\ndef use():\n    import installed\n")
    with Worker(tmp_path) as worker:
        assert not worker.run("use").idle.recycle


FOR_GOOD = {
    "no new privileges": ("import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)", "what it asked the kernel for cannot be taken back (PR_SET_NO_NEW_PRIVS)"),
    "audit hook": ("sys.addaudithook(lambda *_: None)", "it called addaudithook, which stays as long as the process"),
    "hook of forks": ("os.register_at_fork(before=print)", "it called register_at_fork, which stays as long as the process"),
    "user": ("os.setegid(12345)", "it is another user, or in other groups"),
}


def test_a_timer_that_would_end_the_next_run_ends_the_worker(worker: Worker) -> None:
    code = (
        "import ctypes\ndef main(params):\n    c, timer = ctypes.CDLL(None), ctypes.c_void_p()\n    c.timer_create(1, None, ctypes.byref(timer))\n"
        "    c.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 0, 30, 0), None)\n"
    )
    assert worker.code(code).kind == "Succeeded"
    assert worker.expect(Goodbye).reason == "its process cannot be put back as it was"
    worker.stderr_with("cannot be put back: C code left a timer that ends the process by signal 14; this worker leaves")


TIMER = (
    "import ctypes\nc, timer = ctypes.CDLL(None), ctypes.c_void_p()\ndef make(signum):\n"
    "    c.timer_create(1, (ctypes.c_int * 16)(0, 0, signum), ctypes.byref(timer))\n    c.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 0, 30, 0), None)\n"
    "    assert timer.value is not None or f'signal: {signum}/' in open('/proc/self/timers').read()\n"
)


@pytest.mark.parametrize("name", ["SIGCHLD", "SIGWINCH", "SIGURG", "SIGCONT"])
def test_a_timer_whose_signal_is_ignored_ends_no_worker(worker: Worker, name: str) -> None:
    assert worker.code(f"{TIMER}import signal\ndef main(params):\n    make(signal.{name})\n").kind == "Succeeded"
    assert worker.code("def main(params):\n    return open('/proc/self/timers').read().count('signal: ')\n").result == 1


def test_a_timer_of_what_was_loaded_ends_no_worker_and_another_does(tmp_path: Path) -> None:
    (tmp_path / "timing.py").write_text(f"{TIMER}make(14)\nfrom muster_worker import workflow\n@workflow\ndef again():\n    make(14)\n")
    with Worker(tmp_path) as worker:
        assert [worker.run("conformance.echo", {"n": n}).result for n in range(3)] == [{"n": n} for n in range(3)]
        assert worker.run("again").kind == "Succeeded"
        assert worker.expect(Goodbye).reason == "its process cannot be put back as it was"


@pytest.mark.parametrize("name", FOR_GOOD)
def test_what_stays_as_long_as_the_process_ends_the_worker(worker: Worker, name: str) -> None:
    spoil, why = FOR_GOOD[name]
    if name == "user" and os.geteuid() != 0:
        pytest.skip("only root may be another user")
    assert worker.code(f"import os, sys\ndef main(params):\n    {spoil}\n").kind == "Succeeded"
    assert worker.expect(Goodbye).reason == "its process cannot be put back as it was"
    assert worker.wait(3) == 0
    worker.stderr_with(f"cannot be put back: {why}; this worker leaves")


def test_a_hook_that_a_module_adds_while_it_is_imported_stays_with_it(tmp_path: Path) -> None:
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "__init__.py").write_text("import os, sys\nsys.addaudithook(lambda *_: None)\nos.register_at_fork(before=print)\n")
    (tmp_path / "user.py").write_text("from muster_worker import workflow\n@workflow\ndef use():\n    import helper\n    return 1\n")
    with Worker(tmp_path) as worker:
        assert [worker.run("use").result for _ in range(3)] == [1, 1, 1]


def test_what_cannot_be_put_back_ends_the_worker(worker: Worker) -> None:
    code = "import os, resource, shutil\ndef main(params):\n    import muster_worker.surroundings.process as process\n    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n    process._setrlimit = lambda *_: (_ for _ in ()).throw(ValueError('no'))\n"
    assert worker.code(code).kind == "Succeeded"
    assert worker.expect(Goodbye).reason == "its process cannot be put back as it was"
    with pytest.raises(Ended):
        worker.receive()
    assert worker.wait(3) == 0
    worker.stderr_with("cannot be put back: the limit of RLIMIT_CORE was lowered for good (no); this worker leaves")
