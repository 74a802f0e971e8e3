"""`muster_worker.testing`: workflows in unit tests, without a worker and without a supervisor."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from muster_worker import CallError, InvalidParameters, InvalidResult, context, on_run_end, testing, workflow
from muster_worker.context import call_all


@workflow(name="daily/report")
def report(day: str, limit: int = 3) -> dict:
    region = context.config["region"]
    seen = context.state.get("seen", 0)
    context.log.info("reporting", day=day, region=region)
    logging.getLogger("shop").warning("careful")
    context.progress(1, limit, "first")
    context.state.set("seen", seen + 1)
    context.state.delete("old")
    child = context.submit("send", {"to": region})
    return {"seen": seen, "child": child, "who": context.caller, "attempt": context.attempt, "workflow": context.workflow}


@workflow
async def wait(seconds: float) -> float:
    await asyncio.to_thread(context.state.set, "waited", seconds)
    return seconds


def test_everything_is_given_and_recorded() -> None:
    given = {"seen": 4, "old": 1}
    run = testing.run(report, {"day": "monday"}, config={"region": "eu"}, state=given, caller={"name": "Ada"}, attempt=2)
    child = run.submitted[0].execution_id
    assert run.result == {"seen": 4, "child": child, "who": {"name": "Ada"}, "attempt": 2, "workflow": "daily/report"}
    assert run.logs == [
        testing.LogLine("info", "reporting", {"day": "monday", "region": "eu"}, "daily/report"),
        testing.LogLine("warn", "careful", {}, "shop"),
    ]
    assert run.progresses == [testing.Progress(1, 3, "first")]
    assert run.state == {"seen": 5}
    assert given == {"seen": 4, "old": 1}
    assert run.submitted == [testing.Submission("send", {"to": "eu"}, child)]
    assert [one.method for one in run.calls] == ["state.get", "state.set", "state.delete", "execution.submit"]
    assert run.calls[1].params == {"key": "seen", "value": 5}


def test_an_async_workflow() -> None:
    run = testing.run(wait, {"seconds": 0})
    assert (run.result, run.state) == (0.0, {"waited": 0.0})


def test_a_mistake_in_the_test_itself_is_told_at_once() -> None:
    nothing: Any = None
    for wrong in (nothing, "greet"):
        with pytest.raises(TypeError, match=r"testing\.run\(workflow, params\): the workflow must be its function, not "):
            testing.run(wrong)


def test_what_a_worker_refuses_is_refused() -> None:
    assert isinstance(testing.run(report, {"dya": 1}).error, InvalidParameters)
    with pytest.raises(InvalidParameters, match="did you mean 'day'"):
        assert testing.run(report, {"dya": 1}).result
    assert isinstance(testing.run(lambda params: object(), 1).error, InvalidResult)


def test_errors_are_the_workflows_own() -> None:
    failed = testing.run(report, {"day": "monday"})
    with pytest.raises(KeyError, match="region"):
        assert failed.result
    assert [one.method for one in failed.calls] == ["config.get"]


def test_answers_stand_in_for_the_supervisor() -> None:
    answers: Any = {
        "state.get": lambda params: len(params["key"]),
        "state.set": CallError("StateUnavailable", "no database"),
        "state.delete": {"any": "thing"},
    }

    def main(params: Any) -> Any:
        try:
            context.state.set("k", 1)
        except CallError as error:
            return [context.state.get("four"), error.kind, str(error)]

    assert testing.run(main, answers=answers).result == [4, "StateUnavailable", "no database"]


def test_an_answer_to_a_call_there_is_not_is_a_mistake_of_the_test() -> None:
    def main(params: Any) -> Any:
        return context.state.get("k")

    with pytest.raises(TypeError, match="answers: there is no call 'state.gete', and nothing made it; did you mean 'state.get'"):
        testing.run(main, answers={"state.gete": 1})
    with pytest.raises(TypeError, match="there are config.get, state.get"), testing.context(answers={"nothing": 1}):
        pass
    # What fails inside is told, and not that.
    with pytest.raises(KeyError), testing.context(answers={"nothing": 1}):
        raise KeyError("inside")
    made = testing.run(lambda params: call_all([("odd.method", {})]), answers={"odd.method": 7})
    assert made.result == [7]


def test_values_are_json_as_they_are_in_production() -> None:
    def main(params: Any) -> Any:
        context.state.set("k", {1: (2, 3)})
        return [params, context.state.get("k")]

    assert testing.run(main, [{"a": 1}]).result == [[{"a": 1}], {"1": [2, 3]}]
    refused = testing.run(lambda params: context.state.set("k", float("nan")))
    assert isinstance(refused.error, CallError) and refused.error.kind == "InvalidValue"


def test_a_context_for_code_that_is_called_directly() -> None:
    with testing.context(config={"region": "eu"}, timeout=9) as run:
        assert report("monday")["seen"] == 0
        assert 8 < (context.remaining or 0) <= 9
        found = []
        thread = threading.Thread(target=lambda: found.append(context.execution_id))
        thread.start()
        thread.join()
        assert found == [context.execution_id]
    assert run.state == {"seen": 1}
    with pytest.raises(RuntimeError, match="no execution is running here"):
        assert context.execution_id


def test_a_context_in_a_coroutine() -> None:
    async def test() -> None:
        with testing.context() as run:
            assert await wait(0.0) == 0.0
        assert run.state == {"waited": 0.0}

    asyncio.run(test())


def test_the_root_logger_is_left_as_it_was() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    testing.run(report, {"day": "x"}, config={"region": "eu"})
    assert (root.level, list(root.handlers)) == before


def test_hooks_are_called_only_when_asked_for() -> None:
    ends = []

    @on_run_end
    def end(error: Any) -> None:
        ends.append(error)

    testing.run(wait, {"seconds": 0})
    assert ends == []
    failed = testing.run(wait, {"seconds": "x"}, hooks=True)
    assert ends == [failed.error]
