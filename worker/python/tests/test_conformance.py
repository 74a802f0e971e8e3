"""Every workflow of the conformance kit, on a real worker."""

from __future__ import annotations

import signal

import pytest
from supervisor import Ended, Worker

from muster_worker.wire.messages import Call, CancelReason, Err, ErrorInfo, Finished, Idle, Ok, Ready, Reply, Started


def test_handshake(worker: Worker) -> None:
    assert (worker.hello.protocol_min, worker.hello.protocol_max) == (1, 1)
    assert worker.hello.language == "python"
    assert worker.hello.pid == worker.process.pid
    assert isinstance(worker.ready, Ready)
    assert "conformance.echo" in worker.ready.workflows


@pytest.mark.parametrize("params", [{"a": [1, 2.5, None, True]}, [1], "text", 7, None, {}, {"params": {"x": 1}}, "ü\n€😀"])
def test_echo(shared: Worker, params: object) -> None:
    run = shared.run("conformance.echo", {"wrapped": params})
    assert [type(one).__name__ for one in run.messages] == ["Started", "Finished", "Idle"]
    assert run.result == {"wrapped": params}


def test_echo_null(shared: Worker) -> None:
    from muster_worker.wire.messages import Execute, Named

    shared._run += 1
    shared.send(Execute(shared._run, "x", 1, "conformance.echo", Named(), b"null", b"", 0, 0))
    assert shared.finish().result is None


def test_fail(shared: Worker) -> None:
    error = shared.run("conformance.fail", {"kind": "CardDeclined", "message": "no money"}).error
    assert (error.kind, error.message) == ("CardDeclined", "no money")


@pytest.mark.parametrize("workflow", ["print", "raw_print", "child_print"])
def test_prints_land_on_stderr(shared: Worker, workflow: str) -> None:
    run = shared.run(f"conformance.{workflow}", {"text": f"from {workflow}"})
    assert run.kind == "Succeeded"
    shared.stderr_with(f"from {workflow}\n")
    assert shared.run("conformance.echo").kind == "Succeeded"


def test_log_is_complete_and_in_order(shared: Worker) -> None:
    run = shared.run("conformance.log", {"count": 5000})
    assert run.lines == [f"line {number}" for number in range(5000)]
    assert run.finished.log_records == 5000


def test_calls_64_at_once_answered_out_of_order(shared: Worker) -> None:
    run = shared.start("conformance.call", {"method": "state.get", "params": {"key": "k"}, "count": 64})
    shared.expect(Started)
    calls = [shared.expect(Call) for _ in range(64)]
    assert len({one.call for one in calls}) == 64
    for number, one in reversed(list(enumerate(calls))):
        shared.send(Reply(run, one.call, Ok(str(number).encode())))
    assert shared.finish().result == list(range(64))


def test_call_unknown_method(shared: Worker) -> None:
    run = shared.start("conformance.call", {"method": "no.such"})
    shared.expect(Started)
    call = shared.expect(Call)
    assert call.method == "no.such"
    shared.send(Reply(run, call.call, Err(ErrorInfo("UnknownMethod", "what?"))))
    error = shared.finish().error
    assert (error.kind, error.message) == ("UnknownMethod", "what?")


def test_big_and_too_large(shared: Worker) -> None:
    assert len(shared.run("conformance.big", {"bytes": 5 << 20}).result) == 5 << 20
    assert shared.run("conformance.big", {"bytes": 17 << 20}).error.kind == "ResultTooLarge"


def test_stdin_is_empty(shared: Worker) -> None:
    assert shared.run("conformance.stdin").result == ""


def test_hold_pipes_does_not_hold_the_frames(worker: Worker) -> None:
    assert worker.run("conformance.hold_pipes", {"seconds": 30}).kind == "Succeeded"
    worker.process.stdin.close()
    with pytest.raises(Ended):
        worker.receive()


def test_crash(worker: Worker) -> None:
    worker.start("conformance.crash")
    worker.expect(Started)
    with pytest.raises(Ended):
        worker.receive()
    assert worker.wait() == -signal.SIGKILL


def test_exit(worker: Worker) -> None:
    worker.start("conformance.exit", {"code": 7})
    with pytest.raises(Ended):
        worker.finish()
    assert worker.wait() == 7


def test_ignore_cancel_swallows_everything(worker: Worker) -> None:
    run = worker.start("conformance.ignore_cancel", {"seconds": 0.6})
    worker.expect(Started)
    worker.cancel(run, CancelReason.Timeout)
    worker.terminate()
    finished = worker.expect(Finished)
    assert type(finished.outcome).__name__ == "Succeeded"
    worker.expect(Idle)


def test_unknown_workflow_is_rejected_without_started(shared: Worker) -> None:
    run = shared.run("conformance.ecko")
    assert [type(one).__name__ for one in run.messages] == ["Finished", "Idle"]
    assert "did you mean 'conformance.echo'" in run.outcome.reason
