"""What user code may do to its process without hurting the stream or the next execution."""

from __future__ import annotations

import pytest
from supervisor import Worker

NOISE = {
    "ctypes": "import ctypes\ndef main(params):\n    l = ctypes.CDLL(None)\n    l.puts(b'from C')\n    l.fflush(None)\n",
    "os.write": "import os\ndef main(params):\n    os.write(1, b'from C')\n",
    "os.system": "import os\ndef main(params):\n    os.system('echo from C')\n",
    "subprocess": "import subprocess\ndef main(params):\n    subprocess.run(['echo', 'from C'])\n",
    "__stdout__": "import sys\ndef main(params):\n    sys.__stdout__.write('from C')\n",
    "fdopen": "import os\ndef main(params):\n    os.fdopen(1, 'w', closefd=False).write('from C')\n",
    "writelines": "import sys\ndef main(params):\n    sys.stdout.writelines(['from ', 'C'])\n",
    "buffer": "import sys\ndef main(params):\n    sys.stdout.buffer.write(b'from C')\n",
    "kept buffer": "import sys\nkept = sys.stdout.buffer\ndef main(params):\n    kept.write(b'from C')\n",
    "no newline": "def main(params):\n    print('from C', end='')\n",
    "all descriptors": "import os\ndef main(params):\n    print('from C')\n    os.closerange(0, 1)\n    os.open('/dev/null', os.O_RDONLY)\n",
}


@pytest.mark.parametrize("code", NOISE.values(), ids=NOISE.keys())
def test_noise_never_reaches_the_frames(worker: Worker, code: str) -> None:
    assert worker.code(code).kind == "Succeeded"
    worker.stderr_with("from C")
    assert worker.run("conformance.echo", {"a": 1}).result == {"a": 1}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path, method: str) -> None:
    (tmp_path / "pools.py").write_text(
        "import multiprocessing\n"
        "from muster_worker import context, workflow\n"
        "def square(number):\n    print('child', number)\n    return number * number\n"
        "@workflow\n"
        "def squares(method: str):\n"
        "    with multiprocessing.get_context(method).Pool(2) as pool:\n"
        "        return pool.map(square, [1, 2, 3])\n"
    )
    with Worker(tmp_path) as worker:
        assert worker.run("squares", {"method": method}).result == [1, 4, 9]
        worker.stderr_with("child")
        assert worker.run("conformance.echo", {"a": 1}).result == {"a": 1}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_a_child_printed_before_it_was_killed_is_there(tmp_path, method: str) -> None:
    (tmp_path / "child.py").write_text(
        "import multiprocessing, time\n"
        "from muster_worker import workflow\n"
        "def work(queue):\n    print('printed')\n    queue.put(1)\n    time.sleep(60)\n"
        "@workflow\n"
        "def kill(method: str):\n"
        "    context = multiprocessing.get_context(method)\n"
        "    queue = context.SimpleQueue()\n"
        "    child = context.Process(target=work, args=(queue,))\n"
        "    child.start()\n    queue.get()\n    child.terminate()\n    child.join()\n"
        "    return child.exitcode\n"
    )
    with Worker(tmp_path) as worker:
        assert worker.run("kill", {"method": method}).result == -15
        worker.stderr_with("printed\n")


def test_a_forked_child_logs_to_stderr_and_dies_by_sigterm(shared: Worker) -> None:
    code = """
import logging, multiprocessing, time
def work():
    logging.warning("from the child")
    time.sleep(60)
def main(params):
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    time.sleep(0.2)
    child.terminate()
    child.join(5)
    return child.exitcode
"""
    run = shared.code(code)
    assert run.result == -15
    shared.stderr_with("from the child")


def test_a_fork_that_returns_is_ended(shared: Worker) -> None:
    code = "import os\ndef main(params):\n    if os.fork() == 0:\n        return 'child'\n    os.wait()\n    return 'parent'\n"
    assert shared.code(code).result == "parent"
    assert shared.run("conformance.echo", {"a": 1}).result == {"a": 1}


FORK_AND_KILL = """
import os, signal, time
def main(params):
    for _ in range(300):
        child = os.fork()
        if child == 0:
            time.sleep(3)
            os._exit(0)
        os.kill(child, signal.SIGTERM)
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            return "a child survived"
    return "all died"
"""


def test_a_child_can_be_killed_as_soon_as_it_is_there(shared: Worker) -> None:
    assert shared.code(FORK_AND_KILL).result == "all died"


def test_process_pool_executor(worker: Worker) -> None:
    code = """
import concurrent.futures, math
def main(params):
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        return list(pool.map(math.factorial, [3, 4]))
"""
    assert worker.code(code).result == [6, 24]


def test_thread_pool_of_a_module_serves_each_execution(tmp_path) -> None:
    (tmp_path / "pooled.py").write_text(
        "import concurrent.futures, logging\n"
        "from muster_worker import context, workflow\n"
        "pool = concurrent.futures.ThreadPoolExecutor(1)\n"
        "def work():\n    logging.info('in %s', context.execution_id)\n    return context.execution_id\n"
        "@workflow\n"
        "def pooled():\n    return pool.submit(work).result()\n"
    )
    with Worker(tmp_path) as worker:
        first, second = worker.run("pooled"), worker.run("pooled")
        assert first.result != second.result
        assert second.lines == [f"in {second.result}"]


def test_a_thread_left_behind_does_not_log_into_the_next_run(worker: Worker) -> None:
    code = """
import contextvars, logging, threading, time
def work():
    time.sleep(0.2)
    logging.info("late")
def main(params):
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,)).start()
"""
    assert worker.code(code).kind == "Succeeded"
    later = worker.run("conformance.sleep", {"seconds": 0.5})
    assert later.lines == []


def test_signal_handlers_of_user_code_do_not_stay(worker: Worker) -> None:
    code = "import signal\ndef main(params):\n    for s in range(1, 60):\n        try: signal.signal(s, signal.SIG_IGN)\n        except (OSError, ValueError): pass\n"
    assert worker.code(code).kind == "Succeeded"
    run = worker.start_code("import time\ndef main(params):\n    time.sleep(60)\n")
    worker.cancel(run)
    assert worker.finish().kind == "Cancelled"


def test_warnings_print_and_logging_are_attributed(shared: Worker) -> None:
    code = """
import logging, warnings
def main(params):
    log = logging.getLogger("shop")
    log.info("paid %d", 12, extra={"order": 7})
    log.debug("not shown")
    warnings.warn("old")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("division")
"""
    records = shared.code(code).records
    assert [record.logger for record in records] == ["shop", "py.warnings", "shop"]
    assert (records[0].message, records[0].fields) == ("paid 12", b'{"order": 7}')
    assert "ZeroDivisionError" in records[2].message


def test_log_limits(shared: Worker) -> None:
    code = """
from muster_worker import context
def main(params):
    context.log.info("é" * 100_000)
    context.log.info("odd", value=object(), nan=float("nan"), surrogate="\\ud800")
    context.log.info("\\ud800")
    context.log.info("large", blob="x" * 1_000_000)
"""
    records = shared.code(code).records
    assert len(records[0].message.encode()) <= 65536 and "200000 bytes in all" in records[0].message
    assert b"object object" in records[1].fields
    assert records[3].fields == b'{"cut": "the fields were 1000012 bytes"}'


def test_stack_shows_user_code_only(shared: Worker) -> None:
    code = "def main(params):\n    inner()\ndef inner():\n    raise ValueError('wrong')\n"
    error = shared.code(code).error
    assert (error.kind, error.message) == ("ValueError", "wrong")
    assert "raise ValueError('wrong')" in error.stack
    assert "muster_worker" not in error.stack
    assert error.stack.count("File ") == 2


@pytest.mark.parametrize(
    "raising, kind, message",
    [
        ("raise KeyError('id')", "KeyError", "key not found: 'id'"),
        ("assert False", "AssertionError", "AssertionError"),
        ("class Odd(Exception):\n        def __str__(self): 1/0\n    raise Odd()", "Odd", "the message cannot be shown"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("f = lambda: f()\n    f()", "RecursionError", "recursion"),
        ("x = [0] * (1 << 60)", "OutOfMemory", "the workflow asked for more memory than the worker may have"),
    ],
)
def test_errors(shared: Worker, raising: str, kind: str, message: str) -> None:
    error = shared.code(f"def main(params):\n    {raising}\n").error
    assert error.kind == kind
    assert message in error.message


def test_retryable(shared: Worker) -> None:
    code = "class Busy(Exception):\n    retryable = True\ndef main(params):\n    raise Busy('later')\n"
    assert shared.code(code).error.retryable is True
    assert shared.code("def main(params):\n    raise ValueError('no')\n").error.retryable is None


def test_inline_code(shared: Worker) -> None:
    decorated = "from muster_worker import workflow\n@workflow\ndef any_name(a: int):\n    return a + 1\n"
    assert shared.code(decorated, {"a": 1}).result == 2
    assert "neither" in shared.code("x = 1").outcome.reason
    assert shared.code("def main(params) return 1").error.kind == "SyntaxError"
    dataclass = "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\ndef main(p: P):\n    return p\n"
    assert shared.code(dataclass, {"p": {"x": 1}}).result == {"x": 1}
    from muster_worker.wire.messages import Inline

    assert "javascript" in shared.run("w", {}, Inline("javascript", b"1")).outcome.reason
