"""Handshake, framing, order, drain, the end of stdin, and what must not grow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from supervisor import Ended, Worker, environment, frame

from muster_worker.wire.messages import (
    Call,
    Drain,
    Dump,
    Execute,
    Finished,
    Goodbye,
    Idle,
    Inline,
    Level,
    Named,
    Ping,
    Pong,
    Progress,
    Stacks,
    Started,
    Welcome,
)


def test_ping_idle_and_running(shared: Worker) -> None:
    shared.send(Ping(42))
    assert shared.expect(Pong).nonce == 42
    shared.start_code("def main(params):\n    while not params.get('x'): pass\n", timeout_ms=500)
    shared.send(Ping(43))
    assert shared.expect(Pong).nonce == 43
    assert shared.finish().kind == "Cancelled"


def test_one_byte_writes_and_joined_frames(shared: Worker) -> None:
    for byte in frame(Ping(7)):
        shared.send_bytes(bytes([byte]))
    assert shared.expect(Pong).nonce == 7
    shared.send_bytes(b"".join(frame(Ping(number)) for number in range(100)))
    assert [shared.expect(Pong).nonce for _ in range(100)] == list(range(100))


def test_unknown_messages_are_skipped(shared: Worker) -> None:
    later = (4).to_bytes(4, "big") + (99).to_bytes(4, "little")
    shared.send_bytes(later + frame(Ping(1)))
    assert shared.expect(Pong).nonce == 1


def test_large_params_and_a_slow_reader(shared: Worker) -> None:
    text = "é" * (2 << 20)
    shared.start("conformance.echo", {"text": text})
    time.sleep(0.1)
    assert shared.finish().result == {"text": text}


def test_200_in_a_row(shared: Worker) -> None:
    for number in range(200):
        assert shared.run("conformance.echo", {"n": number}).result == {"n": number}


def test_drain_idle(worker: Worker) -> None:
    worker.send(Drain("enough", 1000))
    assert worker.expect(Goodbye).reason == "enough"
    with pytest.raises(Ended):
        worker.receive()
    assert worker.wait(3) == 0


def test_drain_running(worker: Worker) -> None:
    worker.start_code("import time\ndef main(params):\n    time.sleep(0.3)\n    return 'whole'\n")
    worker.send(Drain("enough", 5000))
    assert worker.finish().result == "whole"
    worker.expect(Goodbye)
    assert worker.wait(3) == 0


def test_end_of_stdin_idle(worker: Worker) -> None:
    worker.process.stdin.close()
    assert worker.wait(2) == 0


@pytest.mark.parametrize("workflow", ["conformance.sleep", "conformance.ignore_cancel"])
def test_end_of_stdin_running(worker: Worker, workflow: str) -> None:
    worker.start(workflow, {"seconds": 60})
    worker.expect(Started)
    worker.process.stdin.close()
    assert worker.wait(2) == 0


def test_end_of_stdin_takes_the_children_along(worker: Worker) -> None:
    code = "import subprocess\ndef main(params):\n    return subprocess.Popen(['sleep', '60']).pid\n"
    child = worker.code(code).result
    worker.process.stdin.close()
    worker.wait(2)
    end = time.monotonic() + 2
    while Path(f"/proc/{child}/stat").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < end, "the child lives on"
        time.sleep(0.01)


def test_a_peer_that_breaks_the_protocol() -> None:
    with Worker(handshake=False) as worker:
        worker.send(Ping(1))
        assert worker.wait(3) == 65
        assert "Welcome" in worker.stderr_with("broke the protocol")


def test_a_peer_that_breaks_the_protocol_while_user_code_waits_for_an_answer(worker: Worker) -> None:
    worker.start_code(
        "from muster_worker import context\n"
        "def main(params):\n    try: context.state.get('k')\n    except Exception: return 'met the error'\n"
    )
    worker.expect(Call)
    worker.send(Welcome(1, "again", [], 16_777_215, Level.Info, b""))
    assert worker.wait(3) == 65


def test_a_bug_of_the_sdk_has_its_own_exit_code() -> None:
    """Descriptors closed behind its back are the nearest a user can come to one."""
    with Worker() as worker:
        worker.start_code("import os\ndef main(params):\n    os.closerange(3, 200)\n")
        assert worker.wait(5) == 70
        worker.stderr_with("OSError")


def test_memory_that_runs_out_beside_user_code_has_its_own_exit_code() -> None:
    """A supervisor knows by it what the worker died of."""
    with Worker() as worker:
        code = "import muster_worker.session as session\ndef main(params):\n    def refuse(): raise MemoryError\n    session.resident_bytes = refuse\n"
        worker.start_code(code)
        assert worker.wait(5) == 72
        worker.stderr_with("ran out of memory")


def test_the_log_level_is_the_supervisors() -> None:
    code = "from muster_worker import context\nimport logging\ndef main(params):\n    context.log.debug('a')\n    logging.debug('b')\n    context.log.info('c')\n"
    for level, lines in ((Level.Debug, ["a", "b", "c"]), (Level.Info, ["c"])):
        with Worker(log_level=level) as worker:
            run = worker.code(code)
            assert (run.lines, run.finished.log_records) == (lines, len(lines))


def test_no_common_version() -> None:
    with Worker(handshake=False) as worker:
        worker.send(Welcome(9, "w", [], 16_777_215, Level.Info, b""))
        assert worker.wait(3) == 71


def test_second_execute_is_a_violation(worker: Worker) -> None:
    worker.start("conformance.sleep", {"seconds": 60})
    worker.start("conformance.echo")
    assert worker.wait(3) == 65


def test_dump_shows_user_code(shared: Worker) -> None:
    code = """
import threading, time
def helper_waits():
    time.sleep(60)
def main(params):
    threading.Thread(target=helper_waits, daemon=True, name="aide").start()
    time.sleep(0.2)
    def innermost():
        time.sleep(60)
    innermost()
"""
    run = shared.start_code(code)
    time.sleep(0.3)
    shared.send(Dump(run))
    text = shared.expect(Stacks).text
    assert "in innermost" in text and "in helper_waits" in text and "aide" in text
    assert "muster_worker" not in text
    shared.cancel(run)
    assert shared.finish().kind == "Cancelled"


def test_dump_shows_coroutines(shared: Worker) -> None:
    code = "import asyncio\nasync def waits_here():\n    await asyncio.sleep(60)\nasync def main(params):\n    await waits_here()\n"
    run = shared.start_code(code)
    time.sleep(0.3)
    shared.send(Dump(run))
    assert "waits_here" in shared.expect(Stacks).text
    shared.cancel(run)
    shared.finish()


def test_progress_latest_wins_and_arrives(shared: Worker) -> None:
    code = "from muster_worker import context\ndef main(params):\n    for n in range(1000):\n        context.progress(n, 1000, 'rows')\n"
    run = shared.code(code)
    sent = [one for one in run.messages if isinstance(one, Progress)]
    assert len(sent) < 10
    assert sent[-1] == Progress(run.finished.run, 999, 1000, "rows")


def test_logs_arrive_while_it_runs(shared: Worker) -> None:
    run = shared.start_code("import logging, time\ndef main(params):\n    logging.warning('early')\n    time.sleep(60)\n")
    log = shared.receive(1.0)
    assert log.records[0].message == "early"
    assert log.records[0].level == Level.Warn
    shared.cancel(run)
    shared.finish()


def test_asyncio_adds_no_records_of_its_own() -> None:
    with Worker(log_level=Level.Debug) as worker:
        assert worker.code("import asyncio\nasync def main(params):\n    await asyncio.sleep(0)\n").records == []


def test_metrics(shared: Worker) -> None:
    metrics = shared.code("import time\ndef main(params):\n    time.sleep(0.1)\n    sum(range(3_000_000))\n").finished.metrics
    assert metrics.wall_us > 100_000
    assert 1_000 < metrics.cpu_user_us < metrics.wall_us
    assert metrics.peak_rss_bytes > 5_000_000


def test_environment_is_clean(shared: Worker) -> None:
    code = "import os\ndef main(params):\n    return sorted(k for k in os.environ if k.startswith('MUSTER'))\n"
    assert shared.code(code).result == []


def test_user_exit_does_not_end_the_worker(shared: Worker) -> None:
    assert shared.code("import sys\ndef main(params):\n    sys.exit(3)\n").error.kind == "SystemExit"
    assert shared.run("conformance.echo", {"on": 1}).result == {"on": 1}


def test_features_that_were_not_granted_are_not_used() -> None:
    with Worker(features=["cancel"]) as worker:
        assert worker.run("conformance.log", {"count": 5}).records == []
        answer = worker.run("conformance.call", {"method": "state.get", "params": {"key": "k"}})
        assert answer.error.kind == "NotSupported"


def test_a_thousand_executions_grow_nothing(worker: Worker) -> None:
    logging = "import logging\ndef main(params):\n    logging.info('hello %s', params)\n    return params\n"
    coroutine = "import asyncio\nasync def main(params):\n    await asyncio.sleep(0)\n    return params\n"

    def some(count: int) -> Idle:
        for number in range(count):
            worker.run("conformance.echo", {"n": number})
            worker.code(logging, {"n": number})
            last = worker.code(coroutine, {"n": number})
        return last.idle

    before, descriptors = some(50).rss_bytes, worker.descriptors()
    after = some(334).rss_bytes
    assert worker.descriptors() == descriptors
    assert after - before < 5_000_000


def test_json_lines_by_hand() -> None:
    lines = [
        {"Welcome": {"protocol": 1, "max_frame_bytes": 16777215}},
        {"SomethingNew": {"x": 1}},
        {"Execute": {"run": 1, "execution_id": "e", "attempt": 1, "workflow": "conformance.echo", "source": "Named", "params": {"a": "ü"}}},
        {"Drain": {"reason": "bye"}},
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "muster_worker", "serve", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(MUSTER_CONFORMANCE="1"),
        text=True,
    )
    assert process.stdin and process.stdout
    assert next(iter(json.loads(process.stdout.readline()))) == "Hello"
    for line in lines:
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()
    messages = [json.loads(line) for line in process.stdout]
    assert [next(iter(one)) for one in messages] == ["Ready", "Started", "Finished", "Idle", "Goodbye"]
    assert messages[2]["Finished"]["outcome"] == {"Succeeded": {"result": {"a": "ü"}}}
    assert process.wait(3) == 0
    process.stdin.close()
    process.stdout.close()


def test_result_limit_follows_the_supervisor() -> None:
    with Worker(max_frame_bytes=2000) as worker:
        assert worker.run("conformance.big", {"bytes": 1000}).kind == "Succeeded"
        assert worker.run("conformance.big", {"bytes": 5000}).error.kind == "ResultTooLarge"


def test_execute_fields_reach_the_context(shared: Worker) -> None:
    code = """
from muster_worker import context
async def main(params):
    return [context.execution_id, context.attempt, context.workflow, context.organization,
            context.caller, context.startup, context.config.get("region"), 0 < context.remaining <= 9]
"""
    given = {"organization": {"id": "o", "name": "Org"}, "caller": {"name": "Ada"}, "startup": {"s": 1}, "config": {"region": "eu"}}
    execute = Execute(900, "id-1", 3, "w", Inline("", code.encode()), b"{}", json.dumps(given).encode(), 9000, 0)
    shared._run = 900
    shared.send(execute)
    result = shared.finish().result
    assert result == ["id-1", 3, "w", given["organization"], given["caller"], given["startup"], "eu", True]


def test_named_source_is_the_default_for_named(shared: Worker) -> None:
    assert shared.run("conformance.echo", {"a": 1}, Named()).kind == "Succeeded"
    assert isinstance(shared.run("conformance.echo").finished, Finished)
