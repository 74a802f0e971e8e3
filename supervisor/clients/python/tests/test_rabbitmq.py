"""Submitting through RabbitMQ, on a private broker and the real supervisor."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import uuid
from pathlib import Path
from typing import Iterator

import pytest
from conftest import WORKFLOWS
from installation import REPOSITORY, Installation

from muster_client import AsyncClient, Client, ExecutionFailed, MusterUnavailable, NotFinished, NotFound, Options, Unauthorized
from muster_client.rabbitmq import AsyncPublisher, Publisher

#: A broker that was killed takes a while to be back, longer where others are at work.
PATIENT = 180.0
SET = f"client-python-{os.getpid()}"


def services(*arguments: str) -> str:
    done = subprocess.run(["scripts/services", "--set", SET, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """The address of a private broker."""
    lines = services("start").splitlines()
    yield next(line.partition("MUSTER_AMQP_URL=")[2].strip("'\"") for line in lines if "MUSTER_AMQP_URL=" in line)
    services("stop")


@pytest.fixture(scope="module")
def consuming(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A supervisor that takes messages from it."""
    made = Installation(tmp_path_factory.mktemp("rabbitmq"), amqp_url=broker)
    made.workflow("all.py", WORKFLOWS)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def publisher(broker: str, consuming: Installation) -> Iterator[Publisher]:
    with Client(consuming.url) as client, Publisher(broker, client, patience=PATIENT) as made:
        yield made


def test_the_result_of_what_was_published(publisher: Publisher) -> None:
    handle = publisher.submit("greet", name="Ada", _options=Options(priority=9, timeout=20))
    assert handle.result(timeout=60) == {"greeting": "Hello, Ada!"}
    row = handle.get()
    assert (row.priority, row.timeout_seconds) == (9, 20)
    assert row.published_at is not None and row.created_at is not None, "it says when it was published"
    assert row.published_at <= row.created_at
    failed = publisher.submit("broken", message="no")
    with pytest.raises(ExecutionFailed, match="no"):
        failed.result(timeout=60)
    assert [line.message for line in publisher.submit("greet", name="Bo").logs(follow=True)] == ["greeting"]


def test_many_and_from_many_threads(publisher: Publisher) -> None:
    handles = publisher.submit_many("echo", [{"number": number} for number in range(20)])
    assert [handle.result(timeout=60)["number"] for handle in handles] == list(range(20))
    results: list[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(publisher.submit("echo", number=n).result(60)["number"])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(8))


def test_the_same_id_twice_is_one_execution(publisher: Publisher) -> None:
    once = Options(execution_id=uuid.uuid4())
    first, second = (publisher.submit("greet", name="Ada", _options=once) for _ in range(2))
    assert first.id == second.id and first.result(60) == second.result(60)
    assert first.get().attempt == 1


def test_what_the_broker_cannot_keep_is_told(publisher: Publisher, broker: str, consuming: Installation) -> None:
    with pytest.raises(NotFound, match="no queue 'nobodys'"):
        publisher.submit("greet", _options=Options(queue="nobodys"))
    # The channel goes on after it.
    assert publisher.submit("greet", name="Ada").result(60) == {"greeting": "Hello, Ada!"}
    with pytest.raises(Unauthorized, match="name and password"):
        Publisher(broker.replace("guest:guest", "guest:wrong"), patience=5).submit("greet")
    with pytest.raises(MusterUnavailable, match=r"at amqp://127.0.0.1:1\b") as away:
        Publisher("amqp://guest:secret@127.0.0.1:1/%2f", patience=0.2).submit("greet")
    assert "secret" not in str(away.value)


def test_what_nobody_has_taken_in_is_not_finished(broker: str, consuming: Installation) -> None:
    with Client(consuming.url) as client, Publisher(broker, client) as publisher:
        consuming.stop()
        try:
            handle = publisher.submit("greet", name="Ada")
        finally:
            consuming.start()
        assert handle.result(timeout=60) == {"greeting": "Hello, Ada!"}
        with pytest.raises(NotFinished, match="no supervisor has taken it in") as waited:
            client.wait_for_published(str(uuid.uuid4()), timeout=0.3)
        assert waited.value.execution is None


def test_a_broker_that_is_restarted(publisher: Publisher) -> None:
    publisher.submit("greet", name="Ada").result(60)
    services("kill", "rabbitmq")
    restart = threading.Thread(target=services, args=("start", "rabbitmq"))
    restart.start()
    handle = publisher.submit("greet", name="Bo")
    restart.join()
    assert handle.result(timeout=120) == {"greeting": "Hello, Bo!"}


def test_coroutines(broker: str, consuming: Installation) -> None:
    async def main() -> None:
        async with AsyncClient(consuming.url) as client, AsyncPublisher(broker, client, patience=PATIENT) as publisher:
            handle = await publisher.submit("greet", name="Ada")
            assert await handle.result(timeout=60) == {"greeting": "Hello, Ada!"}
            handles = await publisher.submit_many("echo", [{"number": number} for number in range(50)])
            assert [(await one.result(60))["number"] for one in handles] == list(range(50))
            assert [line.message async for line in (await publisher.submit("greet")).logs(follow=True)] == ["greeting"]
            with pytest.raises(NotFound, match="no queue 'nobodys'"):
                await publisher.submit("greet", _options=Options(queue="nobodys"))
            services("kill", "rabbitmq")
            restarted = asyncio.get_running_loop().run_in_executor(None, services, "start", "rabbitmq")
            handle = await publisher.submit("greet", name="Bo")
            await restarted
            assert await handle.result(timeout=120) == {"greeting": "Hello, Bo!"}
        with pytest.raises(Unauthorized, match="name and password"):
            async with AsyncPublisher(broker.replace("guest:guest", "guest:wrong"), AsyncClient(consuming.url)) as refused:
                await refused.submit("greet")

    asyncio.run(main())


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pika.py").write_text("raise ImportError('no pika')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "pika", raising=False)
    with pytest.raises(ImportError, match=r'pip install "muster-client\[rabbitmq\]"'):
        Publisher("amqp://127.0.0.1/")
