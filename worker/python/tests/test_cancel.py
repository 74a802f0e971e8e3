"""Cancel, deadlines, shields: user code is broken into wherever it is, and nothing else is."""

from __future__ import annotations

import time

import pytest
from supervisor import Worker

from muster_worker.wire.messages import Call, Finished, Idle, Log, Ok, Progress, Reply, Started

SLEEP = "import time\ndef main(params):\n    time.sleep(60)\n"
BUSY = "def main(params):\n    while True: pass\n"
ASYNC_SLEEP = "import asyncio\nasync def main(params):\n    await asyncio.sleep(60)\n"
ASYNC_BUSY = "import asyncio\nasync def main(params):\n    await asyncio.sleep(0)\n    while True: pass\n"
ASYNC_CHILD = """
import asyncio
async def child():
    while True: pass
async def main(params):
    await asyncio.gather(child(), asyncio.sleep(60))
"""
LOCK = "import threading\ndef main(params):\n    lock = threading.Lock(); lock.acquire(); lock.acquire()\n"
PIPE = "import os\ndef main(params):\n    r, w = os.pipe(); os.read(r, 1)\n"
CHILD = "import subprocess\ndef main(params):\n    subprocess.run(['sleep', '60'])\n"
QUEUE = "import queue\ndef main(params):\n    queue.Queue().get()\n"
EVERYTHING = [SLEEP, BUSY, ASYNC_SLEEP, ASYNC_BUSY, ASYNC_CHILD, LOCK, PIPE, CHILD, QUEUE]


@pytest.mark.parametrize("code", EVERYTHING)
def test_cancel_breaks_in(shared: Worker, code: str) -> None:
    run = shared.start_code(code)
    shared.cancel(run)
    ended = shared.finish()
    assert ended.kind == "Cancelled", ended.outcome
    assert (ended.kind, ended.outcome.message) == ("Cancelled", "please stop")
    assert ended.seconds < 0.5
    assert shared.run("conformance.echo", {"still": "here"}).result == {"still": "here"}


@pytest.mark.parametrize("code", EVERYTHING)
def test_the_worker_holds_the_deadline_itself(shared: Worker, code: str) -> None:
    began = time.monotonic()
    ended = shared.code(code, timeout_ms=300)
    assert ended.kind == "Cancelled", ended.outcome
    assert 0.3 <= time.monotonic() - began < 0.6


def test_cancel_during_a_late_phase_and_for_ended_runs(shared: Worker) -> None:
    run = shared.start("conformance.echo")
    shared.cancel(run)
    shared.cancel(run)
    assert shared.finish().kind in ("Succeeded", "Cancelled")
    shared.cancel(run)
    assert shared.run("conformance.echo").kind == "Succeeded"


def test_cancel_during_many_short_runs_never_hits_the_next(worker: Worker) -> None:
    code = "import time\ndef main(params):\n    time.sleep(params['seconds'])\n    return 1\n"
    for number in range(60):
        run = worker.start_code(code, {"seconds": 0.03})
        time.sleep(0.0005 * number)
        worker.cancel(run)
        assert worker.finish().kind in ("Succeeded", "Cancelled")
        assert worker.run("conformance.echo", {"n": number}).result == {"n": number}


def test_finally_and_cleanup_run_and_may_call(shared: Worker) -> None:
    code = """
import time
from muster_worker import Cancelled, context
def main(params):
    try:
        time.sleep(60)
    except Cancelled:
        context.state.set("cleaned", True)
        raise
"""
    run = shared.start_code(code)
    shared.cancel(run)
    call = shared.expect(Call)
    assert call.method == "state.set"
    shared.send(Reply(run, call.call, Ok(b"")))
    ended = shared.finish()
    assert ended.kind == "Cancelled", ended.outcome


def test_except_exception_lets_it_pass(shared: Worker) -> None:
    code = """
import time
def main(params):
    while True:
        try:
            time.sleep(60)
        except Exception:
            pass
"""
    run = shared.start_code(code)
    shared.cancel(run)
    ended = shared.finish()
    assert ended.kind == "Cancelled", ended.outcome


@pytest.mark.parametrize("prefix", ["", "async "])
def test_shield_runs_to_its_end(shared: Worker, prefix: str) -> None:
    code = f"""
import time
from muster_worker import context, shield
{prefix}def main(params):
    with shield():
        context.progress(1)
        time.sleep(0.5)
        context.log.info("shielded part done")
    time.sleep(60)
"""
    run = shared.start_code(code)
    # It is inside by now. A cancel that came before would be raised before.
    shared.expect(Progress)
    shared.cancel(run)
    ended = shared.finish()
    assert ended.kind == "Cancelled"
    assert ended.lines == ["shielded part done"]
    assert ended.seconds < 5


def test_a_call_without_reply_is_broken_into(shared: Worker) -> None:
    run = shared.start_code("from muster_worker import context\ndef main(params):\n    context.state.get('k')\n")
    shared.expect(Call)
    shared.cancel(run)
    ended = shared.finish()
    assert ended.kind == "Cancelled", ended.outcome


def test_sigterm_is_a_second_chance(shared: Worker) -> None:
    code = """
import time
from muster_worker import context
def main(params):
    try:
        time.sleep(60)
    except BaseException:
        context.progress(1, message="swallowed")
    time.sleep(60)
"""
    run = shared.start_code(code)
    shared.cancel(run)
    assert isinstance(shared.receive(), Progress)
    shared.terminate()
    ended = shared.finish()
    assert ended.kind == "Cancelled", ended.outcome


def test_sigterm_at_the_door_of_user_code_is_not_lost(worker: Worker) -> None:
    """It comes between Started and the first line of user code, sooner or later."""
    code = "import time\ndef main(params):\n    time.sleep(2)\n"
    for _ in range(300):
        worker.start_code(code)
        worker.terminate()
        assert worker.finish().kind == "Cancelled"


def test_threads_see_the_cancel(shared: Worker) -> None:
    code = """
import threading
from muster_worker import Cancelled, context
seen, done = [], threading.Event()
def work():
    try:
        context.sleep(60)
    except Cancelled as error:
        seen.append(str(error))
    done.set()
def main(params):
    try:
        threading.Thread(target=work).start()
        done.wait()
    finally:
        done.wait(5)
        context.log.info(f"thread saw {seen} {context.cancelled}")
"""
    run = shared.start_code(code)
    shared.cancel(run)
    ended = shared.finish()
    assert ended.kind == "Cancelled"
    assert ended.lines == ["thread saw ['please stop'] True"]


def test_own_timeout_of_a_workflow(shared: Worker) -> None:
    code = "from muster_worker import workflow\n@workflow(timeout=0.2)\ndef slow():\n    while True: pass\n"
    error = shared.code(code).error
    assert error.kind == "WorkflowTimeout"
    assert "0.2 s" in error.message


def test_returning_a_value_after_the_cancel_is_told_as_it_is(shared: Worker) -> None:
    code = "import logging, time\ndef main(params):\n    try:\n        logging.info('in')\n        time.sleep(60)\n    except BaseException:\n        return 'saved'\n"
    run = shared.start_code(code)
    shared.expect(Log)
    shared.cancel(run)
    assert shared.finish().result == "saved"


def test_sigterm_when_idle_ends_the_worker(worker: Worker) -> None:
    worker.terminate()
    assert worker.wait(2) == 0


def test_cancel_arrives_in_one_write_with_execute(shared: Worker) -> None:
    from supervisor import frame

    from muster_worker.wire.messages import Cancel, CancelReason, Execute, Inline

    shared._run += 1
    execute = Execute(shared._run, "x", 1, "w", Inline("", SLEEP.encode()), b"{}", b"", 0, 1000)
    shared.send_bytes(frame(execute) + frame(Cancel(shared._run, CancelReason.User, "at once", 1000)))
    assert isinstance(shared.receive(), Started)
    finished = shared.expect(Finished)
    assert finished.outcome.message == "at once"
    shared.expect(Idle)
