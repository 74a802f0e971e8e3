"""The HTTP under the steps: connections, the token, and what counts as unreachable. Once blocking, once not."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, AsyncIterator, Iterator, TypeVar

import httpx

from .asking import ANSWER_SECONDS, Answer, Pause, Plan, Request, Unreachable, problem_of, refusal
from .errors import MusterError
from .locks import lock_of_process
from .tokens import given_token, is_of_this_machine, token_of, url_of
from .version import __version__
from .waiting import Crowd

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
_CONNECTIONS: dict[str, int | None] = {"questions": 16, "waits": 64, "streams": None}
"""How many there are for what. Questions that wait, and streams, take none from those that are answered at once."""
_of_parents: list[Any] = []
"""What was opened by another process. Kept: at its end it would speak to whom it belongs to."""
_PROBE = Request("GET", "/api/openapi.json", {})


class _Place:
    """Where the supervisor is and what it is shown."""

    def __init__(self, url: str | None, token: str | None) -> None:
        self.url = url_of(url)
        self._given = given_token(token)
        self._looked = False
        self._found: str | None = None

    def options(self) -> dict[str, Any]:
        """For a client of httpx. A supervisor of this machine is never asked through a proxy, which would see the token."""
        return {
            "base_url": self.url,
            "headers": {"user-agent": f"muster-client-python/{__version__}"},
            "timeout": httpx.Timeout(ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            "trust_env": not is_of_this_machine(self.url),
            # To read the certificates takes longer than everything else.
            "verify": httpx.create_ssl_context() if self.url.startswith("https:") else False,
        }

    @property
    def must_look(self) -> bool:
        """True when a supervisor of this machine is to be asked where its token is."""
        return self._given is None and not self._looked and is_of_this_machine(self.url)

    def looked(self, answer: Answer) -> None:
        """Takes what it said when it was asked without a token. One that is only starting is asked again."""
        if answer.status >= 500:
            return
        self._looked = True
        self._found = token_of(problem_of(answer)) if answer.status == 401 else None

    def forget(self, shown: str | None) -> bool:
        """The token was not right: one that was found may have been made anew. True when it is worth a look."""
        if self._given is not None or not is_of_this_machine(self.url):
            return False
        if self._looked and (self._found is not None or shown is None):
            self._looked, self._found = False, None
        return True

    @property
    def token(self) -> str | None:
        """What is shown."""
        return self._given or self._found

    def headers(self, request: Request, token: str | None) -> dict[str, str]:
        """The headers of a question."""
        headers = {"content-type": "application/json"} if request.body is not None else {}
        return {**headers, "authorization": f"Bearer {token}"} if token else headers


def _limits(kind: str) -> httpx.Limits:
    return httpx.Limits(max_connections=_CONNECTIONS[kind], max_keepalive_connections=16, keepalive_expiry=10.0)


def _kind(request: Request) -> str:
    return "waits" if "wait" in request.query else "questions"


def _arguments(request: Request, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query,
        "content": request.body,
        "headers": headers,
        "timeout": httpx.Timeout(request.seconds, connect=_CONNECT_SECONDS),
    }


def _unreachable(error: httpx.TransportError) -> Unreachable:
    if isinstance(error, httpx.PoolTimeout):
        return Unreachable("all connections of this client are at work")
    return Unreachable(str(error) or type(error).__name__)


class Transport:
    """Asks, and waits for the answer. Threads may share it."""

    def __init__(self, url: str | None, token: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self._place = _Place(url, token)
        self._options = {**self._place.options(), "transport": transport}
        self.url = self._place.url
        self.crowd = Crowd(_CONNECTIONS["waits"])
        self._connect()

    def _connect(self) -> None:
        self._http = {kind: httpx.Client(**self._options, limits=_limits(kind)) for kind in _CONNECTIONS}
        self._process = os.getpid()

    def close(self) -> None:
        """Closes its connections."""
        for http in self._pools().values():
            http.close()

    def _pools(self) -> dict[str, httpx.Client]:
        """Those of this process: on what its parent has opened, each would read the answers of others."""
        if self._process != os.getpid():
            with lock_of_process():
                if self._process != os.getpid():
                    _of_parents.append(self._http)
                    self.crowd = Crowd(_CONNECTIONS["waits"])
                    self._connect()
        return self._http

    def run(self, plan: Plan[T]) -> T:
        """Takes the steps of a plan."""
        try:
            step = next(plan)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = plan.send(Answer(0, b""))
                    continue
                try:
                    answer = self.ask(step)
                except Unreachable as error:
                    step = plan.throw(error)
                    continue
                step = plan.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def ask(self, request: Request) -> Answer:
        """One question. A token that was found and is not right any more is looked for once more."""
        token = self._token()
        answer = self._send(request, token)
        if answer.status == 401 and self._place.forget(token):
            other = self._token()
            return answer if other == token else self._send(request, other)
        return answer

    def _token(self) -> str | None:
        if self._place.must_look:
            self._place.looked(self._send(_PROBE, None))
        return self._place.token

    def _send(self, request: Request, token: str | None) -> Answer:
        try:
            response = self._pools()[_kind(request)].request(**_arguments(request, self._place.headers(request, token)))
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return Answer(response.status_code, response.content)

    @contextmanager
    def stream(self, request: Request) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer as they come."""
        try:
            token = self._token()
            with self._open(request, token) as response:
                if response.status_code != 401 or not self._place.forget(token):
                    if response.status_code != 200:
                        raise Refused(Answer(response.status_code, response.read()))
                    yield response.iter_bytes()
                    return
            with self._open(request, self._token()) as response:
                if response.status_code != 200:
                    raise Refused(Answer(response.status_code, response.read()))
                yield response.iter_bytes()
        except httpx.TransportError as error:
            raise _unreachable(error) from error

    def _open(self, request: Request, token: str | None) -> AbstractContextManager[httpx.Response]:
        return self._pools()["streams"].stream(**_arguments(request, self._place.headers(request, token)))


async def _close_all(pools: dict[str, httpx.AsyncClient]) -> None:
    for http in pools.values():
        await http.aclose()


async def _keep(pools: dict[str, httpx.AsyncClient]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await _close_all(pools)


def _closed_with_loop(pools: dict[str, httpx.AsyncClient]) -> AsyncIterator[None]:
    """What has the running loop close them: at its end, or when it is let go of before, a loop ends the generators it has begun."""
    keeper = _keep(pools)
    try:
        keeper.__anext__().__await__().send(None)
    except StopIteration:
        pass
    return keeper


class AsyncTransport:
    """The same for coroutines of one event loop."""

    def __init__(self, url: str | None, token: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._place = _Place(url, token)
        self._options = {**self._place.options(), "transport": transport}
        self.url = self._place.url
        self.crowd = Crowd(_CONNECTIONS["waits"])
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connect()

    def _connect(self) -> None:
        self._http = {kind: httpx.AsyncClient(**self._options, limits=_limits(kind)) for kind in _CONNECTIONS}
        self._keeper: AsyncIterator[None] | None = None
        self._process = os.getpid()

    async def close(self) -> None:
        """Closes its connections."""
        await _close_all(self._pools())

    def _pools(self) -> dict[str, httpx.AsyncClient]:
        """Those of this process, and of the loop that runs: what a loop has opened is of no use when that is closed."""
        loop = asyncio.get_running_loop()
        if self._process != os.getpid() or (self._loop is not None and self._loop is not loop and self._loop.is_closed()):
            if self._process != os.getpid():
                _of_parents.append((self._http, self._keeper))
            # Else their sockets are closed with them, unless the loop has: nobody can close them in a loop that is closed.
            self._loop, self.crowd = None, Crowd(_CONNECTIONS["waits"])
            self._connect()
        if self._loop is None:
            self._loop, self._keeper = loop, _closed_with_loop(self._http)
        elif self._loop is not loop:
            raise MusterError("this AsyncClient is at work in another event loop: make one in each, or ask shared_async_client()")
        return self._http

    async def run(self, plan: Plan[T]) -> T:
        """Takes the steps of a plan."""
        try:
            step = next(plan)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = plan.send(Answer(0, b""))
                    continue
                try:
                    answer = await self.ask(step)
                except Unreachable as error:
                    step = plan.throw(error)
                    continue
                step = plan.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def ask(self, request: Request) -> Answer:
        """One question. A token that was found and is not right any more is looked for once more."""
        token = await self._token()
        answer = await self._send(request, token)
        if answer.status == 401 and self._place.forget(token):
            other = await self._token()
            return answer if other == token else await self._send(request, other)
        return answer

    async def _token(self) -> str | None:
        if self._place.must_look:
            self._place.looked(await self._send(_PROBE, None))
        return self._place.token

    async def _send(self, request: Request, token: str | None) -> Answer:
        try:
            response = await self._pools()[_kind(request)].request(**_arguments(request, self._place.headers(request, token)))
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return Answer(response.status_code, response.content)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an answer as they come."""
        try:
            token = await self._token()
            async with self._open(request, token) as response:
                if response.status_code != 401 or not self._place.forget(token):
                    if response.status_code != 200:
                        raise Refused(Answer(response.status_code, await response.aread()))
                    yield response.aiter_bytes()
                    return
            async with self._open(request, await self._token()) as response:
                if response.status_code != 200:
                    raise Refused(Answer(response.status_code, await response.aread()))
                yield response.aiter_bytes()
        except httpx.TransportError as error:
            raise _unreachable(error) from error

    def _open(self, request: Request, token: str | None) -> AbstractAsyncContextManager[httpx.Response]:
        return self._pools()["streams"].stream(**_arguments(request, self._place.headers(request, token)))


class Refused(Exception):
    """A stream that did not begin."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(refusal(answer)))
        self.answer = answer
