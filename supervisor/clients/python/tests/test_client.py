"""The blocking client, against a real supervisor."""

from __future__ import annotations

import datetime
import decimal
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from installation import Installation

from muster_client import (
    Client,
    Conflict,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionTimeout,
    InvalidRequest,
    LimitReached,
    NotFinished,
    NotFound,
    Options,
    SubmitManyFailed,
    UnexpectedAnswer,
)


def test_two_lines(client: Client) -> None:
    assert client.submit("greet", name="Ada").result(timeout=30) == {"greeting": "Hello, Ada!"}


def test_what_is_paused_does_not_start_and_goes_on_when_it_is_resumed(client: Client) -> None:
    target = "workflow:a name/ü"
    pause = client.pause(target, why="a deploy")
    assert (pause.target, pause.why) == (target, "a deploy") and pause.since is not None
    assert [one.target for one in client.pauses()] == [target]
    assert (client.resume(target), client.resume(target)) == (True, False)
    with pytest.raises(InvalidRequest, match="cannot be paused: give all, queue:NAME"):
        client.pause("greet")

    assert client.submit("greet").paused_by == ()
    client.pause("workflow:greet", why="a deploy")
    (many,) = client.submit_many("greet", [{}])
    handle = client.submit("greet")
    for submitted in (many, handle):
        assert [(one.target, one.why) for one in submitted.paused_by] == [("workflow:greet", "a deploy")], "it is told at once"
    first = handle.explain()[0]
    assert (first.kind, first.is_blocking) == ("paused", True), first.message
    client.resume("workflow:greet")
    assert handle.result(timeout=30) == {"greeting": "Hello, world!"}


def test_what_is_no_json_is_refused_with_its_place() -> None:
    async def answer() -> int:
        return 1

    cycle: dict[str, Any] = {}
    cycle["again"] = [cycle]
    forgotten = answer()
    with Client("http://127.0.0.1:1") as nobody:
        for value, place in [
            ([float("nan")], r"parameters\.value\[0\] is nan, and JSON has no such number"),
            ({"a": object()}, r"parameters\.value\.a: a value of type builtins\.object is no JSON"),
            (forgotten, r"parameters\.value: a value of type builtins\.coroutine is no JSON; put await before"),
            (cycle, r"parameters\.value\.again\[0\] contains itself"),
        ]:
            with pytest.raises(InvalidRequest, match=place):
                nobody.submit("echo", value=value)
    forgotten.close()


def test_limits_say_how_full_they_are(client: Client, installation: Installation) -> None:
    token = (Path(installation.settings["data_dir"]) / "http_token").read_text().strip()
    put = {"url": f"{installation.url}/api/limits/crm", "headers": {"authorization": f"Bearer {token}"}}
    httpx.put(**put, json={"per_key": 0, "key": "workflow"}).raise_for_status()
    handle = client.submit("greet", _options=Options(limits=["crm"]))
    waits = handle.explain()[0]
    assert waits.kind == "limit_full", waits.message
    (limit,) = client.limits()
    # It counts as waiting once a claim has put it aside.
    assert (limit.name, limit.running) == ("crm", 0) and limit.waiting in (0, 1)
    assert limit.terms is not None and (limit.terms["per_key"], limit.terms["key"]) == (0, "workflow")
    httpx.put(**put, json={"total": 1}).raise_for_status()
    assert handle.result(timeout=30) == {"greeting": "Hello, world!"}


def test_a_full_limit_says_who_is_in_it(client: Client, installation: Installation) -> None:
    token = (Path(installation.settings["data_dir"]) / "http_token").read_text().strip()
    one = {"total": 1, "key": "workflow", "on_full": "reject"}
    headers = {"authorization": f"Bearer {token}"}
    httpx.put(f"{installation.url}/api/limits/alone", headers=headers, json=one).raise_for_status()
    first = client.submit("greet", _options=Options(limits=["alone"], delay=3600))
    with pytest.raises(LimitReached, match="alone") as refused:
        client.submit("greet", _options=Options(limits=["alone"]))
    assert isinstance(refused.value, Conflict)
    assert refused.value.execution_id == first.id
    first.cancel()
    httpx.delete(f"{installation.url}/api/limits/alone", headers=headers).raise_for_status()


@pytest.mark.parametrize("status", [200, 404, 501])
def test_what_is_no_supervisor_is_called_so(status: int) -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(status, text="<html>"))
    with Client("http://other.example", "any", transport=page) as other:
        with pytest.raises(UnexpectedAnswer, match="^what answers is no supervisor") as told:
            other.submit("greet")
    assert status == 200 or f"HTTP status {status}: name its address with Client(url) or MUSTER_URL" in str(told.value)


def test_an_answer_that_leaves_out_some_of_many_is_no_supervisors() -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(202, text='{"executions": []}'))
    with Client("http://other.example", "any", transport=page) as other:
        with pytest.raises(UnexpectedAnswer, match="^what answers is no supervisor"):
            other.submit_many("greet", [{}])


def test_what_are_no_options_and_no_list_says_what_would_be(client: Client) -> None:
    wrong: Any = {"timeout": 3}
    with pytest.raises(TypeError, match=r"_options must be Options\(timeout=30, ...\), not a dict"):
        client.submit("greet", _options=wrong)
    with pytest.raises(InvalidRequest, match=r"parameters.timeout: is not known; .*; an option is given as _options=Options\(timeout=...\)"):
        client.submit("greet", name="Ada", timeout=3)
    with pytest.raises(TypeError, match="_options must be Options"):
        client.submit_many("greet", [{}], _options=wrong)
    with pytest.raises(TypeError, match="a list with the parameters of each"):
        client.submit_many("greet", {"name": "Ada"})


def test_a_token_from_a_file_may_end_its_line_and_what_is_none_is_not_shown(installation: Installation) -> None:
    token = (Path(installation.settings["data_dir"]) / "http_token").read_text().strip()
    with Client(installation.url, f"{token}\n") as client:
        assert client.submit("greet").result(timeout=30) == {"greeting": "Hello, world!"}
    with pytest.raises(ValueError, match="one word") as refused:
        Client(installation.url, "se\ncret")
    assert "cret" not in str(refused.value)


def test_parameters_in_one_value(client: Client) -> None:
    assert client.submit("greet", {"name": "Bo"}).result(30) == {"greeting": "Hello, Bo!"}
    assert client.submit("echo", [1, "two"]).result(30) == [1, "two"]
    assert client.submit("echo", {"_options": 1}).result(30) == {"_options": 1}
    with pytest.raises(TypeError, match="by name"):
        client.submit("greet", {"name": "Bo"}, name="Cy")


@pytest.mark.parametrize(
    "value", [0, -1, 2**53 + 1, 10**30, -(10**300), 1.5, 1e300, 0.1, "ü\u2028€😀", None, True, [], {}, {"a": {"b": [1, None]}}]
)
def test_values_come_back_as_they_went(client: Client, value: object) -> None:
    back = client.submit("echo", {"value": value}).result(30)["value"]
    assert back == value and type(back) is type(value)


def test_types_of_python_become_json(client: Client) -> None:
    value = {"at": datetime.date(2024, 2, 29), "sum": decimal.Decimal("1.10"), "id": uuid.UUID(int=7), "file": Path("a/b")}
    expected = {"at": "2024-02-29", "sum": "1.10", "id": str(uuid.UUID(int=7)), "file": "a/b"}
    assert client.submit("echo", value).result(30) == expected


def test_what_is_no_json_is_refused_before_it_is_sent() -> None:
    with Client("http://127.0.0.1:1") as client:
        for value in (float("nan"), object(), {1: {2: b"bytes"}}):
            with pytest.raises(InvalidRequest, match="convert them"):
                client.submit("echo", {"value": value})


def test_all_options_arrive(client: Client) -> None:
    chosen = uuid.uuid4()
    options = Options(
        timeout=12.5,
        priority=7,
        max_attempts=4,
        retry_backoff=0.5,
        execution_id=chosen,
        caller={"user_id": "u1", "name": "Ada"},
        startup={"from": "test"},
        form_id="f1",
        api_key_id="k1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    submitted = client.submit("told", _options=options)
    assert submitted.id == str(chosen)
    told = submitted.result(30)
    assert (told["caller"], told["startup"]) == ({"user_id": "u1", "name": "Ada"}, {"from": "test"})
    assert (told["form_id"], told["api_key_id"], told["traceparent"]) == ("f1", "k1", options.traceparent)
    row = submitted.get()
    assert (row.timeout_seconds, row.priority, row.max_attempts, row.workflow) == (12.5, 7, 4, "told")
    assert row.is_over and row.created_at is not None and row.completed_at is not None
    assert row.created_at.tzinfo is not None and row.created_at <= row.completed_at


def test_the_same_id_twice_is_one_execution(client: Client) -> None:
    options = Options(execution_id=uuid.uuid4())
    first = client.submit("greet", name="Ada", _options=options)
    second = client.submit("greet", name="Ada", _options=options)
    assert first.id == second.id
    assert second.result(30) == first.result(30)
    assert sum(one.execution_id == first.id for one in client.list(workflow="greet")) == 1


def test_a_failure_has_type_message_and_stack(client: Client) -> None:
    with pytest.raises(ExecutionFailed, match="LookupError: no such order") as caught:
        client.submit("broken", message="no such order").result(30)
    assert (caught.value.error_type, caught.value.message) == ("LookupError", "no such order")
    assert "raise LookupError" in caught.value.stack
    assert caught.value.execution.status == "FAILED"


def test_a_time_out(client: Client) -> None:
    with pytest.raises(ExecutionTimeout, match="give it more time") as caught:
        client.submit("slow", _options=Options(timeout=0.3)).result(30)
    assert caught.value.execution.status == "TIMEOUT"


def test_a_cancel(client: Client) -> None:
    submitted = client.submit("slow")
    assert next(submitted.logs(follow=True)).message == "began"
    assert submitted.cancel().outcome == "requested"
    with pytest.raises(ExecutionCancelled):
        submitted.result(30)
    assert submitted.cancel().outcome == "already_finished"


def test_not_finished_is_a_time_out_error_and_the_execution_goes_on(client: Client) -> None:
    submitted = client.submit("slow", seconds=2)
    with pytest.raises(TimeoutError, match="it goes on") as caught:
        submitted.result(timeout=0.3)
    assert isinstance(caught.value, NotFinished)
    assert caught.value.execution is not None and not caught.value.execution.is_over
    assert client.handle(submitted.id).result(30) == "done"


def test_all_problems_of_a_request_at_once(client: Client) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.submit("greet", name="Ada", _options=Options(timeout=-1, priority=11, max_attempts=0))
    assert len(caught.value.problems) == 3
    for name in ("timeout_seconds", "priority", "max_attempts"):
        assert any(one.startswith(name) for one in caught.value.problems), caught.value.problems


def test_all_problems_of_parameters_at_once(client: Client) -> None:
    client.submit("greet").result(30)
    with pytest.raises(InvalidRequest, match="charge") as caught:
        client.submit("charge", amount="x", curency="USD")
    assert len(caught.value.problems) == 3, caught.value.problems


def test_what_is_not_there(client: Client) -> None:
    nobody = str(uuid.uuid4())
    for ask in (client.get, client.retry, client.wait):
        with pytest.raises(NotFound, match=nobody):
            ask(nobody)
    with pytest.raises(NotFound):
        list(client.logs(nobody))
    with pytest.raises(NotFound):
        list(client.logs(nobody, follow=True))
    with pytest.raises(InvalidRequest, match="UUID"):
        client.get("../pool")
    for name in ("", ".", ".."):
        for ask in (client.get, client.cancel, client.explain, client.pause, client.resume):
            with pytest.raises(InvalidRequest, match="cannot be a name here"):
                ask(name)
    assert client.cancel(nobody).outcome == "unknown"


def test_a_retry_is_a_new_execution(client: Client) -> None:
    submitted = client.submit("slow")
    with pytest.raises(Conflict):
        submitted.retry()
    submitted.cancel()
    submitted.wait(30)
    again = submitted.retry()
    assert again.id != submitted.id
    assert again.get().retry_of == submitted.id
    again.cancel()


def test_a_retry_has_an_id_of_its_own(client: Client, installation: Installation) -> None:
    one, other = client.submit("greet", name="Ada"), client.submit("greet", name="Bo")
    one.wait(30), other.wait(30)
    token = (installation.folder / "data" / "http_token").read_text().strip()
    new = str(uuid.uuid4())

    def retry(whose: str, body: dict[str, str]) -> tuple[int, str]:
        answer = httpx.post(
            f"{installation.url}/api/executions/{whose}/retry",
            json=body,
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
        return answer.status_code, answer.text

    assert retry(one.id, {"execution_id": new})[0] == 202
    assert retry(one.id, {"execution_id": new})[0] == 202
    assert client.result(new, 30) == {"greeting": "Hello, Ada!"}
    assert sum(row.retry_of == one.id for row in client.list()) == 1
    status, said = retry(other.id, {"execution_id": new})
    assert status == 409 and f"does not repeat {other.id}" in said
    status, said = retry(one.id, {"execution": new})
    assert status == 400 and "execution_id" in said


def test_many(client: Client) -> None:
    handles = client.submit_many("echo", ({"number": one} for one in range(30)))
    assert [one.result(30)["number"] for one in handles] == list(range(30))
    assert client.submit_many("echo", []) == []
    with pytest.raises(TypeError, match="one by one"):
        client.submit_many("echo", [1], _options=Options(execution_id=uuid.uuid4()))


def test_many_of_which_some_are_refused(client: Client) -> None:
    with pytest.raises(SubmitManyFailed, match="1 of 3") as caught:
        client.submit_many("echo", [1, "\ud800", 3])
    assert list(caught.value.errors) == [1]
    assert [one is not None and one.result(30) for one in caught.value.handles] == [1, False, 3]


def test_list_goes_over_pages(client: Client) -> None:
    made = {one.id for one in client.submit_many("charge", [{"customer": "c", "amount": one} for one in range(7)])}
    for one in made:
        client.wait(one, 30)
    listed = list(client.list(workflow="charge", status="SUCCESS", page_size=2))
    assert {one.execution_id for one in listed} >= made
    assert {one.execution_id for one in client.list(workflow="charge", status=["FAILED", "SUCCESS"])} >= made
    assert not {one.execution_id for one in client.list(status=("FAILED", "TIMEOUT"))} & made
    assert [one.created_at for one in listed] == sorted((one.created_at for one in listed), reverse=True)  # type: ignore[type-var]


def test_logs_page_by_page_and_as_they_grow(client: Client) -> None:
    submitted = client.submit("count", lines=20)
    assert [one.message for one in submitted.logs(follow=True)] == [f"line {one} \u2028 of it" for one in range(20)]
    many = client.submit("count", lines=2_500)
    many.result(60)
    lines = list(many.logs())
    assert [one.message for one in lines] == [f"line {one} \u2028 of it" for one in range(2_500)]
    assert (lines[0].attempt, lines[0].sequence, lines[0].level) == (1, 1, "info")
    assert [one.sequence for one in many.logs(follow=True)] == list(range(1, 2_501))


def test_fields_of_a_line(client: Client) -> None:
    submitted = client.submit("greet", name="Ada")
    submitted.result(30)
    (line,) = submitted.logs()
    assert (line.message, line.fields, line.logger) == ("greeting", {"name": "Ada"}, "greet")


def test_the_command_line_sees_the_same(client: Client, installation: Installation) -> None:
    submitted = client.submit("greet", name="Ada")
    submitted.result(30)
    assert submitted.id in installation.command("list")
