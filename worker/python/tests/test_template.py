"""Template workers: what a process that was forked has of its own, and when there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest
from muster_worker.wire.messages import (
    FEATURES,
    TEMPLATE,
    Drain,
    Exited,
    Forked,
    ForkFailed,
    Goodbye,
    Hello,
    Level,
    Ready,
    Welcome,
)

from supervisor import Ended, Worker, environment
from template import TemplateProcess, shown_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates need pidfds")

ECHO = """
import os
from muster_worker import context, workflow
LOADED_IN = os.getpid()

@workflow
def whoami():
    context.log.info("here")
    print("printed")
    return {"pid": os.getpid(), "loaded_in": LOADED_IN, "group": os.getpgrp(), "id": os.environ["MUSTER_WORKER_ID"]}
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_a_worker_without_a_channel_offers_no_template(tmp_path: Path) -> None:
    with Worker(folder(tmp_path, echo=ECHO)) as worker:
        assert TEMPLATE not in worker.hello.features


def test_an_offer_that_is_not_taken_leaves_an_ordinary_worker(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO), features=FEATURES) as worker:
        assert TEMPLATE in worker.hello.features
        assert worker.run("whoami").result["pid"] == worker.process.pid


def test_a_forked_worker_is_a_worker_of_its_own(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template, template.worker() as one, template.worker() as other:
        results = [worker.run("whoami") for worker in (one, other, one)]
        for worker, run in zip((one, other, one), results):
            pid = worker.process.pid
            assert run.result == {"pid": pid, "loaded_in": template.process.pid, "group": pid, "id": worker.worker_id}
            assert run.lines == ["here"]
            assert f"MUSTER_WORKER_ID={worker.worker_id}" in shown_environment(pid)
        assert one.ready.workflows == template.ready.workflows and "whoami" in one.ready.workflows
        assert one.hello.pid == one.process.pid and TEMPLATE not in one.hello.features
        one.stderr_with("printed\nprinted\n")
        other.stderr_with("printed\n")
        assert other.stderr.count("printed") == 1 and "printed" not in template.stderr


def test_a_worker_holds_nothing_of_its_template_or_its_siblings(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template:
        with template.worker() as first, template.worker() as second:
            assert first.descriptors() == second.descriptors()
            template.process.kill()
            template.process.wait()
            with pytest.raises(Ended):
                template.receive()
            assert second.run("whoami").kind == "Succeeded", "it lives on"
            first.process.stdin.close()
            first.wait(5)


def test_the_end_of_a_worker_is_told(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template:
        with template.worker() as first, template.worker() as second:
            first.process.stdin.close()
            assert template.expect(Exited) == Exited(first.process.pid, 0)
            os.kill(second.process.pid, signal.SIGKILL)
            assert template.expect(Exited) == Exited(second.process.pid, signal.SIGKILL)
            assert template.worker().forked.pid not in (first.process.pid, second.process.pid)


def test_a_template_leaves_when_it_is_asked_to_and_its_workers_stay(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template, template.worker() as worker:
        template.send(Drain("enough", 0))
        assert template.expect(Goodbye).reason == "enough"
        assert template.wait() == 0
        assert worker.run("whoami").kind == "Succeeded"


def test_a_worker_can_be_cancelled_and_told_to_end(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template, template.worker() as worker:
        run = worker.start_code("import time\nfrom muster_worker import workflow\n@workflow\ndef rest():\n    time.sleep(60)")
        worker.cancel(run)
        assert worker.finish().kind == "Cancelled"
        os.kill(worker.process.pid, signal.SIGTERM)
        assert template.expect(Exited) == Exited(worker.process.pid, 0)


def test_random_numbers_are_each_workers_own(tmp_path: Path) -> None:
    code = "import random\nfrom muster_worker import workflow\nrandom.random()\n@workflow\ndef draw():\n    return random.random()\n"
    with TemplateProcess(folder(tmp_path, draw=code)) as template, template.worker() as one, template.worker() as other:
        assert one.run("draw").result != other.run("draw").result


def test_numbers_of_numpy_are_each_workers_own(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    code = "import numpy\nfrom muster_worker import workflow\nnumpy.random.seed(1)\nnumpy.random.randn()\n"
    code += "@workflow\ndef draw():\n    return [numpy.random.randn(), numpy.random.randint(1 << 30)]\n"
    with TemplateProcess(folder(tmp_path, draw=code)) as template, template.worker() as one, template.worker() as other:
        first, second, third = (worker.run("draw").result for worker in (one, other, one))
        assert first[0] != second[0] and first[1] != second[1] and third not in (first, second)


def test_a_forked_worker_is_ready_before_it_is_welcomed(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template:
        config = json.dumps({"workflows_dir": str(tmp_path)}).encode()
        # One that says what it is known to say, and one that does not.
        for worker_id, least in (("w1", Level.Info), ("w22", Level.Error)):
            with template.fork() as child:
                hello, ready = child.expect(Hello), child.expect(Ready)
                assert (hello.pid, ready.workflows) == (child.process.pid, template.ready.workflows)
                child.send(Welcome(1, worker_id, list(FEATURES), 16_777_215, least, config))
                assert child.run("whoami").lines == (["here"] if least is Level.Info else [])


def test_a_template_describes_for_the_workers_that_it_makes(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template, template.worker() as one:
        assert [message.replaces for message in template.described] == [True]
        assert one.run("whoami").kind == "Succeeded" and not one.described
        folder(tmp_path, more=ECHO.replace("whoami", "more"))
        assert one.run("more").kind == "Succeeded"
        assert [workflow.name for message in one.described for workflow in message.workflows].count("more") == 1


LEAVES_BEHIND = """
import os
from muster_worker import workflow

@workflow
def visits():
    seen = os.environ.get("VISITED")
    os.environ["VISITED"] = "yes"
    return seen
"""


def test_one_that_serves_once_and_is_given_another_run_all_the_same_puts_back_first(tmp_path: Path) -> None:
    with Worker(folder(tmp_path, visits=LEAVES_BEHIND), config={"serves_once": True}) as worker:
        for _ in range(3):
            run = worker.run("visits")
            assert run.result is None and run.idle.rss_bytes == 0
        worker.process.stdin.close()
        assert worker.wait() == 0


THREAD = """
import threading, time
from muster_worker import workflow
threading.Thread(target=time.sleep, args=(600,), name="poller", daemon=True).start()

@workflow
def work():
    return 1
"""


def test_a_thread_that_a_fork_would_lose_is_named(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, work=THREAD)) as template:
        answer, _ = template.ask("0" * 32)
        assert isinstance(answer, ForkFailed) and answer.worker_id == "0" * 32
        assert "2 threads" in answer.message and "poller" in answer.message and "@after_fork" in answer.message


HOOKS = """
import os
from muster_worker import after_fork, on_worker_start, workflow
seen = [("import", os.getpid())]

@on_worker_start
def start():
    seen.append(("start", os.getpid()))

@after_fork
def forked():
    seen.append(("fork", os.getpid()))

@workflow
def told():
    return seen
"""


def test_hooks_of_a_workers_start_are_called_in_the_workers(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, told=HOOKS)) as template, template.worker() as one, template.worker() as other:
        for worker in (one, other, one):
            own = worker.process.pid
            assert worker.run("told").result == [["import", template.process.pid], ["fork", own], ["start", own]]


def test_rehearsals_are_without_user_code_and_nothing_stays_of_them(tmp_path: Path) -> None:
    code = ECHO + """
from muster_worker import on_run_end, on_run_start
calls = []
on_run_start(lambda: calls.append("start"))
on_run_end(lambda error: calls.append("end"))

@workflow
def told():
    return calls + ["told"]
"""
    with TemplateProcess(folder(tmp_path, told=code)) as template, template.worker() as one, template.worker() as other:
        assert template.ready.workflows == one.ready.workflows and "told" in one.ready.workflows
        assert not any("rehears" in name for name in one.ready.workflows)
        for worker in (one, other):
            assert worker.run("told").result == ["start", "told"]
            assert worker.run("told").result == ["start", "end", "start", "told"]
            assert worker.run("rehearsal").kind == "Rejected"


def test_huge_pages_are_made_of_what_is_in_use(tmp_path: Path) -> None:
    code = """
import ctypes, mmap
from pathlib import Path
from muster_worker import huge_pages
kept, spare = [bytearray(400) for _ in range(40000)], mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE)
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
before = resident()
huge_pages.collapse()
print(resident() - before < 4 << 20, set(map(bytes, kept)) == {bytes(400)})
"""
    told = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True)
    assert told.stdout.split() == [b"True", b"True"], told


def test_what_is_left_to_atexit_has_a_moment_only(tmp_path: Path) -> None:
    code = ECHO + "import atexit, time\natexit.register(time.sleep, 60)\n"
    with TemplateProcess(folder(tmp_path, echo=code)) as template, template.worker() as child, template.worker() as fresh:
        child.run("whoami")
        began = time.monotonic()
        for worker in (child, fresh):
            worker.process.stdin.close()
            worker.process.wait(5.0)
        assert time.monotonic() - began > 0.9
        assert [template.expect(Exited).status for _ in range(2)] == [0, 0]


def test_what_fails_after_the_fork_ends_that_start(tmp_path: Path) -> None:
    code = "from muster_worker import after_fork\n@after_fork\ndef connect():\n    raise OSError('no route')\n"
    with TemplateProcess(folder(tmp_path, broken=code)) as template, template.fork() as child:
        assert "no route" in child.failed().error.message
        assert template.expect(Exited) == Exited(child.process.pid, 69 << 8)


def test_a_template_whose_files_have_changed_asks_to_be_replaced(tmp_path: Path) -> None:
    with TemplateProcess(folder(tmp_path, echo=ECHO)) as template:
        with template.worker() as worker:
            assert not worker.forked.recycle
        folder(tmp_path, echo=ECHO, more=ECHO.replace("whoami", "more"))
        answers: List[Forked] = []
        while not any(one.recycle for one in answers):
            assert len(answers) < 100
            time.sleep(0.02)
            with template.worker() as worker:
                answers.append(worker.forked)
                assert worker.run("more").kind == "Succeeded", "the worker looks for itself"
