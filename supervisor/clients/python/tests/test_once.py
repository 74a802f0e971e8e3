"""What is submitted twice with one idempotency key is one execution."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from installation import Installation

from muster_client import AsyncClient, Client, Conflict, IdempotencyKeyReused, InvalidRequest, Options


def test_the_second_is_the_first(client: Client) -> None:
    once = Options(idempotency_key=f"order-{uuid.uuid4()}", idempotency=timedelta(hours=1))
    first = client.submit("greet", name="Ada", _options=once)
    second = client.submit("greet", name="Ada", _options=once)
    assert (first.existing, second.existing) == (False, True)
    assert second.id == first.id
    assert second.result(30) == {"greeting": "Hello, Ada!"}
    assert second.get().idempotency_key == once.idempotency_key
    with pytest.raises(IdempotencyKeyReused, match=first.id) as refused:
        client.submit("greet", name="Bo", _options=once)
    assert isinstance(refused.value, InvalidRequest)


def test_an_id_stands_for_one_request(client: Client) -> None:
    named = Options(execution_id=uuid.uuid4())
    first = client.submit("greet", name="Ada", _options=named)
    assert client.submit("greet", name="Ada", _options=named).result(30) == {"greeting": "Hello, Ada!"}
    with pytest.raises(Conflict, match=f"{first.id} belongs to an execution of another workflow"):
        client.submit("greet", name="Bo", _options=named)


def test_of_many_at_once_one_is_made(installation: Installation) -> None:
    async def submit() -> list[tuple[str, bool]]:
        once = Options(idempotency_key=str(uuid.uuid4()))
        async with AsyncClient(installation.url) as client:
            handles = await asyncio.gather(*(client.submit("greet", _options=once) for _ in range(10)))
            return [(handle.id, handle.existing) for handle in handles]

    answers = asyncio.run(submit())
    assert len({execution_id for execution_id, _ in answers}) == 1
    assert [existing for _, existing in answers].count(False) == 1


def test_it_is_explained_and_found(client: Client) -> None:
    began = datetime.now(timezone.utc) - timedelta(seconds=5)
    waits = client.submit("greet", _options=Options(delay=3600))
    first = waits.explain()[0]
    assert (first.kind, first.is_blocking) == ("starts_later", True)
    assert "at the earliest" in first.message
    waits.cancel()
    failed = client.submit("broken", message="no", _options=Options(retry={"max_attempts": 2, "backoff_seconds": 0.01}))
    row = failed.wait(30)
    assert (row.attempt, row.error_type) == (2, "LookupError")
    found = client.list(error_type="LookupError", since=began)
    assert failed.id in {one.execution_id for one in found}
    assert failed.id not in {one.execution_id for one in client.list(error_type="LookupError", until=began)}
    with pytest.raises(InvalidRequest, match="since: must have its zone"):
        next(client.list(since=datetime.now()))


def test_many_have_no_key_in_common(client: Client) -> None:
    with pytest.raises(TypeError, match="idempotency_key"):
        client.submit_many("greet", [{}], _options=Options(idempotency_key="k"))
