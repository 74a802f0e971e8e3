"""Queues, start times and expiry, as an application asks for them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from installation import Installation

from muster_client import AsyncClient, Client, ExecutionCancelled, InvalidRequest, Options

AN_HOUR = timedelta(hours=1)


def test_a_delay_holds_it_back(client: Client) -> None:
    for delay in (0.5, timedelta(seconds=0.5)):
        handle = client.submit("greet", _options=Options(delay=delay))
        assert handle.result(30) == {"greeting": "Hello, world!"}
        row = handle.get()
        assert row.created_at and row.run_after and row.started_at
        assert row.run_after - row.created_at == timedelta(seconds=0.5)
        assert row.started_at >= row.run_after


def test_it_starts_at_a_moment_of_any_zone(client: Client) -> None:
    moment = datetime.now(timezone(timedelta(hours=5, minutes=30, seconds=7))) + timedelta(seconds=2)
    text = moment.astimezone(timezone(timedelta(hours=-3))).isoformat()
    handles = [client.submit("greet", _options=Options(run_at=told)) for told in (moment, text)]
    for row in [one.wait(30) for one in handles]:
        assert (row.status, row.run_after) == ("SUCCESS", moment)
        assert row.started_at and row.started_at >= moment


def test_a_moment_that_is_over_holds_nothing_up(client: Client) -> None:
    past = datetime.now(timezone.utc) - AN_HOUR
    assert client.submit("greet", _options=Options(run_at=past, expires=AN_HOUR)).result(30) == {"greeting": "Hello, world!"}


@pytest.mark.parametrize("way", ["expires", "expires_at"])
def test_what_has_not_started_in_time_is_cancelled(client: Client, way: str) -> None:
    now = datetime.now(timezone.utc)
    options = Options(run_at=now + AN_HOUR, expires=0.2) if way == "expires" else Options(delay=AN_HOUR, expires_at=now)
    handle = client.submit("greet", _options=options)
    with pytest.raises(ExecutionCancelled) as caught:
        handle.result(30)
    row = caught.value.execution
    assert (row.error_type, row.attempt, row.started_at) == ("Expired", 0, None)
    if way == "expires":
        assert row.created_at and row.expires_at == row.created_at + timedelta(seconds=0.2)
    else:
        assert row.expires_at == now


def test_who_serves_the_queue_runs_it(client: Client, installation: Installation) -> None:
    served = client.submit("greet", _options=Options(queue="workflow-executions"))
    other = client.submit("greet", _options=Options(queue="reports"))
    assert served.result(30) == {"greeting": "Hello, world!"}
    row = other.get()
    assert (served.get().queue, row.queue, row.status) == ("workflow-executions", "reports", "PENDING")
    assert "reports" in installation.command("show", other.id)
    assert other.cancel().outcome == "cancelled"


def test_coroutines_and_many(installation: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(installation.url) as client:
            handles = await client.submit_many("echo", [1, 2], _options=Options(delay=0.3))
            assert [await one.result(30) for one in handles] == [1, 2]
            for row in [await one.get() for one in handles]:
                assert row.run_after and row.created_at and row.run_after > row.created_at

    asyncio.run(main())


def test_a_moment_without_a_zone_is_refused_where_it_is_written() -> None:
    naive = datetime(2027, 3, 28, 2, 30)
    with pytest.raises(InvalidRequest, match=r"run_at: must have its zone, as in datetime\.now\(timezone\.utc\)") as caught:
        Options(run_at=naive, expires_at=naive)
    assert [one.split(":")[0] for one in caught.value.problems] == ["run_at", "expires_at"]


def test_what_contradicts_itself_is_refused(client: Client) -> None:
    now = datetime.now(timezone.utc)
    for options, problem in [
        (Options(run_at="2027-03-28T02:30:00"), "run_at"),
        (Options(run_at=now, delay=1), "run_at, delay_seconds"),
        (Options(delay=2, expires=1), "expires_at, expires_seconds"),
        (Options(queue="two words"), "queue"),
    ]:
        with pytest.raises(InvalidRequest) as caught:
            client.submit("greet", _options=options)
        assert [one.split(":")[0] for one in caught.value.problems] == [problem]
