"""Submitting through RabbitMQ: the message goes to the broker, and its result is asked of a supervisor by the id that was chosen here.

    from muster_client.rabbitmq import Publisher

    with Publisher("amqp://...") as publisher:
        print(publisher.submit("greet", name="Ada").result(timeout=30))

A submission returns when the broker has said that it keeps the message. One that has to be repeated is the same execution. What
is wrong with parameters is not told here, as over HTTP: the execution is FAILED `InvalidParameters`.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Iterable, Iterator, List, Mapping
from urllib.parse import urlsplit

from . import steps
from .asking import ANSWER_SECONDS, Patience
from .async_client import AsyncClient
from .client import Client
from .errors import NotFound, Unauthorized
from .handles import AsyncSubmitted, Submitted
from .options import NO_OPTIONS, Options, parameters_of
from .records import Execution, LogLine

if TYPE_CHECKING:
    import aio_pika
    import pika  # type: ignore[import-untyped]

DEFAULT_QUEUE = "workflow-executions"
"""The queue of a supervisor that was told nothing else."""


class Published(Submitted):
    """An execution whose message was published. It has a row as soon as a supervisor has taken the message in."""

    _client: Client

    def wait(self, timeout: float | None = None) -> Execution:
        """The row once it is over, however it ended; `NotFinished` when it is not over in `timeout` seconds."""
        return self._client.wait_for_published(self.id, timeout)

    def result(self, timeout: float | None = None) -> Any:
        """What the workflow returned, or an `ExecutionError`; `NotFinished` when it is not over in `timeout` seconds."""
        return steps.result_of(self.wait(timeout))

    def logs(self, *, follow: bool = False) -> Iterator[LogLine]:
        """The log so far; with `follow` as it grows, from the moment it is taken in until it is over."""
        if follow:
            self._client.until_taken_in(self.id)
        return super().logs(follow=follow)


class AsyncPublished(AsyncSubmitted):
    """An execution whose message was published, for coroutines."""

    _client: AsyncClient

    async def wait(self, timeout: float | None = None) -> Execution:
        """The row once it is over, however it ended; `NotFinished` when it is not over in `timeout` seconds."""
        return await self._client.wait_for_published(self.id, timeout)

    async def result(self, timeout: float | None = None) -> Any:
        """What the workflow returned, or an `ExecutionError`; `NotFinished` when it is not over in `timeout` seconds."""
        return steps.result_of(await self.wait(timeout))

    async def logs(self, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """The log so far; with `follow` as it grows, from the moment it is taken in until it is over."""
        if follow:
            await self._client.until_taken_in(self.id)
        async for line in super().logs(follow=follow):
            yield line


def _published_now() -> Mapping[str, Any]:
    """The properties that say when a message was published: the one of AMQP has whole seconds, the header milliseconds."""
    now = time.time()
    return {"timestamp": int(now), "headers": {"timestamp_in_ms": int(now * 1000)}}


class _BrokerPatience(Patience):
    """How long a broker that does not answer is asked again."""

    def _given_up(self, reason: str, seconds: float) -> str:
        return (
            f"RabbitMQ does not take messages at {self._url} ({reason}), asked for {seconds:.0f} s: start it, or name another with "
            "Publisher(url) or MUSTER_AMQP_URL"
        )


class _Broker:
    """Where messages go, and what is said of it."""

    def __init__(self, url: str | None, queue: str, patience: float) -> None:
        found = url or os.environ.get("MUSTER_AMQP_URL")
        if not found:
            raise ValueError("the address of RabbitMQ is Publisher(url) or MUSTER_AMQP_URL, as in amqp://user:password@host:5672/%2f")
        self.url = found
        self._queue = queue
        self._patience = patience
        parts = urlsplit(found)
        #: Without a password.
        self.shown = f"{parts.scheme}://{parts.hostname}{'' if parts.port is None else f':{parts.port}'}{parts.path}"

    def queue_of(self, options: Options) -> str:
        return options.queue or self._queue

    def patient(self) -> Patience:
        return _BrokerPatience(self.shown, self._patience)

    def no_queue(self, queue: str) -> NotFound:
        return NotFound(f"RabbitMQ at {self.shown} has no queue {queue!r}: a supervisor makes it that has amqp_url and serves it (settings queue, queues)")

    def refused(self, error: BaseException) -> Unauthorized:
        return Unauthorized(f"RabbitMQ at {self.shown} lets nobody in with this name and password: {error or type(error).__name__}")


class Publisher:
    """Submits through RabbitMQ, with a connection of its own. Threads may share it; processes may not.

    Results are asked of `client`, or of the supervisor that `Client()` finds. Needs pika: `pip install "muster-client[rabbitmq]"`.
    """

    def __init__(
        self, url: str | None = None, client: Client | None = None, *, queue: str = DEFAULT_QUEUE, patience: float = 30.0
    ) -> None:
        self._broker = _Broker(url, queue, patience)
        self._pika = _library("pika", "rabbitmq")
        self._client = client or Client()
        self._owns_client = client is None
        self._lock = threading.Lock()
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None

    def submit(self, workflow: str, /, *parameters: Any, _options: Options = NO_OPTIONS, **named: Any) -> Published:
        """Publishes the message of an execution; returns when the broker keeps it."""
        execution_id, body = steps.checked(_options).body(workflow, parameters_of(parameters, named))
        self._publish(self._broker.queue_of(_options), execution_id, body)
        return Published(self._client, execution_id)

    def submit_many(self, workflow: str, parameters: Iterable[Any], *, _options: Options = NO_OPTIONS) -> List[Published]:
        """Publishes the message of an execution for each of the parameters; the handles are in the same order."""
        steps.refuse_names(_options)
        return [self.submit(workflow, one, _options=_options) for one in parameters]

    def close(self) -> None:
        """Closes its connection, and the client if it made it."""
        with self._lock:
            self._forget()
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _publish(self, queue: str, execution_id: str, body: bytes) -> None:
        patient, errors = self._broker.patient(), self._pika.exceptions
        persistent = self._pika.BasicProperties(
            delivery_mode=2, content_type="application/json", message_id=execution_id, **_published_now()
        )
        while True:
            with self._lock:
                try:
                    self._opened().basic_publish("", queue, body, persistent, mandatory=True)
                    return
                except errors.UnroutableError:
                    raise self._broker.no_queue(queue) from None
                except (errors.AuthenticationError, errors.ProbableAuthenticationError, errors.ProbableAccessDeniedError) as error:
                    self._forget()
                    raise self._broker.refused(error) from error
                except (errors.AMQPError, OSError) as error:
                    # A broker closes a connection that is not used for a while; then it is a new one that takes the message.
                    self._forget()
                    reason = str(error) or type(error).__name__
            time.sleep(patient.spend(reason).seconds)

    def _opened(self) -> Any:
        if self._channel is None:
            self._connection = self._pika.BlockingConnection(self._pika.URLParameters(self._broker.url))
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        return self._channel

    def _forget(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except (self._pika.exceptions.AMQPError, OSError):
                pass


class AsyncPublisher:
    """Submits through RabbitMQ, for the coroutines of one event loop. See `Publisher`, whose methods it has.

    Needs aio-pika: `pip install "muster-client[rabbitmq-async]"`.
    """

    def __init__(
        self, url: str | None = None, client: AsyncClient | None = None, *, queue: str = DEFAULT_QUEUE, patience: float = 30.0
    ) -> None:
        self._broker = _Broker(url, queue, patience)
        self._aio_pika = _library("aio_pika", "rabbitmq-async")
        self._client = client or AsyncClient()
        self._owns_client = client is None
        self._lock = asyncio.Lock()
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._exchange: Any = None

    async def submit(self, workflow: str, /, *parameters: Any, _options: Options = NO_OPTIONS, **named: Any) -> AsyncPublished:
        """Publishes the message of an execution; returns when the broker keeps it."""
        execution_id, body = steps.checked(_options).body(workflow, parameters_of(parameters, named))
        await self._publish(self._broker.queue_of(_options), execution_id, body)
        return AsyncPublished(self._client, execution_id)

    async def submit_many(self, workflow: str, parameters: Iterable[Any], *, _options: Options = NO_OPTIONS) -> List[AsyncPublished]:
        """Publishes the message of an execution for each of the parameters; the handles are in the same order."""
        steps.refuse_names(_options)
        return list(await asyncio.gather(*(self.submit(workflow, one, _options=_options) for one in parameters)))

    async def close(self) -> None:
        """Closes its connection, and the client if it made it."""
        async with self._lock:
            await self._forget(self._exchange)
        if self._owns_client:
            await self._client.close()

    async def __aenter__(self) -> AsyncPublisher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _publish(self, queue: str, execution_id: str, body: bytes) -> None:
        patient, errors = self._broker.patient(), self._aio_pika.exceptions
        message = self._aio_pika.Message(
            body,
            delivery_mode=self._aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/json",
            message_id=execution_id,
            **_published_now(),
        )
        while True:
            exchange = None
            try:
                exchange = await self._opened()
                await exchange.publish(message, routing_key=queue, mandatory=True, timeout=ANSWER_SECONDS)
                return
            except errors.PublishError:
                raise self._broker.no_queue(queue) from None
            except (errors.AuthenticationError, errors.ProbableAuthenticationError) as error:
                raise self._broker.refused(error) from error
            # The last is what aiormq raises of a channel that is closed under it.
            except (errors.AMQPError, OSError, asyncio.TimeoutError, RuntimeError) as error:
                async with self._lock:
                    await self._forget(exchange)
                reason = str(error) or type(error).__name__
            await asyncio.sleep(patient.spend(reason).seconds)

    async def _opened(self) -> Any:
        async with self._lock:
            if self._exchange is None:
                self._connection = await self._aio_pika.connect(self._broker.url, timeout=ANSWER_SECONDS)
                channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchange = channel.default_exchange
            return self._exchange

    async def _forget(self, exchange: Any) -> None:
        """Closes the connection that this exchange is of, unless another coroutine has a new one already."""
        if exchange is not self._exchange:
            return
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None and not connection.is_closed:
            try:
                await connection.close()
            except (self._aio_pika.exceptions.AMQPError, OSError, RuntimeError):
                pass


def _library(name: str, extra: str) -> Any:
    """A library that only those need who publish."""
    try:
        module = __import__(name)
        __import__(f"{name}.exceptions")
    except ImportError as error:
        raise ImportError(f'publishing to RabbitMQ needs {name}: pip install "muster-client[{extra}]"') from error
    return module
