"""The client for coroutines, against a real supervisor."""

from __future__ import annotations

import asyncio
import threading
import uuid
from typing import Any, Coroutine

import pytest
from installation import Installation

from muster_client import (
    AsyncClient,
    ExecutionCancelled,
    ExecutionFailed,
    InvalidRequest,
    MusterUnavailable,
    NotFinished,
    NotFound,
    Options,
    SubmitManyFailed,
)


def run(what: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(what, 120))


def test_everything_once(installation: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(installation.url) as client:
            handle = await client.submit("greet", name="Ada", _options=Options(priority=2))
            assert await handle.result(30) == {"greeting": "Hello, Ada!"}
            assert (await handle.get()).priority == 2
            assert (await client.handle(handle.id).wait(30)).status == "SUCCESS"
            assert [one.message async for one in handle.logs()] == ["greeting"]
            assert [one.message async for one in handle.logs(follow=True)] == ["greeting"]
            await client.pause("queue:other", why="async")
            assert [(one.target, one.why) for one in await client.pauses()] == [("queue:other", "async")]
            assert await client.resume("queue:other")
            assert (await handle.cancel()).outcome == "already_finished"
            again = await handle.retry()
            assert (await again.get()).retry_of == handle.id
            listed = [one.execution_id async for one in client.list(workflow="greet", page_size=2)]
            assert {handle.id, again.id} <= set(listed)
            with pytest.raises(ExecutionFailed, match="LookupError: no"):
                await (await client.submit("broken", message="no")).result(30)
            with pytest.raises(InvalidRequest):
                await client.submit("greet", _options=Options(priority=99))
            with pytest.raises(NotFound):
                await client.get(str(uuid.uuid4()))
            with pytest.raises(NotFound):
                _ = [one async for one in client.logs(str(uuid.uuid4()), follow=True)]

    run(main())


def test_a_cancel_and_a_wait_that_is_too_short(installation: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(installation.url) as client:
            handle = await client.submit("slow")
            async for line in handle.logs(follow=True):
                assert line.message == "began"
                break
            with pytest.raises(NotFinished):
                await handle.result(0.2)
            await handle.cancel()
            with pytest.raises(ExecutionCancelled):
                await handle.result(30)

    run(main())


def test_a_body_that_is_too_large_is_refused(installation: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(installation.url, patience=2) as client:
            with pytest.raises(InvalidRequest, match="a body has at most 33554432 bytes"):
                await client.submit("greet", name="x" * (40 * 1024 * 1024))

    run(main())


def test_many_at_once(installation: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(installation.url) as client:
            handles = await client.submit_many("echo", [{"number": one} for one in range(40)])
            results = await asyncio.gather(*(one.result(60) for one in handles))
            assert [one["number"] for one in results] == list(range(40))
            with pytest.raises(SubmitManyFailed) as caught:
                await client.submit_many("echo", ["\ud800", 2])
            assert list(caught.value.errors) == [0]

    run(main())


def test_more_of_them_wait_than_there_are_connections(installation: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(installation.url) as client:
            slow = await client.submit_many("slow", [{"seconds": 60}] * 90)
            waits = [asyncio.create_task(one.wait(120)) for one in slow]
            await asyncio.sleep(0.5)
            began = asyncio.get_running_loop().time()
            assert (await client.get(slow[0].id)).execution_id == slow[0].id
            assert (await client.cancel(slow[-1].id)).outcome == "cancelled"
            assert asyncio.get_running_loop().time() - began < 10, "others come through beside those that wait"
            await asyncio.gather(*(one.cancel() for one in slow[:-1]))
            assert {row.status for row in await asyncio.gather(*waits)} == {"CANCELLED"}

    run(main())


def test_a_restart(own: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(own.url, patience=60) as client:
            handle = await client.submit("slow", seconds=1)
            seen = []
            restarter = threading.Thread(target=lambda: (own.stop(), own.start()))
            async for line in handle.logs(follow=True):
                seen.append((line.attempt, line.sequence))
                if len(seen) == 1:
                    restarter.start()
            assert len(set(seen)) == len(seen)
            assert await handle.result(60) == "done"
            await asyncio.to_thread(restarter.join)
        own.stop()
        async with AsyncClient(own.url, patience=0.3) as client:
            with pytest.raises(MusterUnavailable):
                await client.submit("greet")

    run(main())
