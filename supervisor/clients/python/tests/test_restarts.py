"""A supervisor that goes away and comes back under a client."""

from __future__ import annotations

import shutil
import signal
import threading
import time
import traceback
from typing import Callable, Iterator

import httpx
import pytest
from installation import Installation

from muster_client import Client, MusterUnavailable, NotFinished, NotFound, Options

_SOON = 0.4
NOBODY = "0198aa00-0000-7000-8000-000000000001"


@pytest.fixture
def later() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Does something in a moment, beside the test."""
    threads: list[threading.Thread] = []

    def start(what: Callable[[], None]) -> None:
        thread = threading.Thread(target=lambda: (time.sleep(_SOON), what()))
        thread.start()
        threads.append(thread)

    yield start
    for thread in threads:
        thread.join()


def test_a_submission_waits_for_a_supervisor(own: Installation, later: Callable[[Callable[[], None]], None]) -> None:
    with Client(own.url) as client:
        client.submit("greet").result(30)
        own.stop(signal.SIGKILL)
        later(own.start)
        assert client.submit("greet", name="Ada").result(60) == {"greeting": "Hello, Ada!"}


def test_a_result_survives_a_supervisor_that_was_killed(own: Installation) -> None:
    with Client(own.url, patience=60) as client:
        submitted = client.submit("slow", seconds=2)
        assert next(submitted.logs(follow=True)).message == "began"
        restarter = threading.Thread(target=lambda: (own.stop(signal.SIGKILL), own.start()))
        restarter.start()
        assert submitted.result(90) == "done"
        restarter.join()
        assert submitted.get().attempt == 2


def test_logs_go_on_where_they_broke(own: Installation) -> None:
    with Client(own.url, patience=60) as client:
        submitted = client.submit("slow", seconds=1)
        seen = []
        restarter = threading.Thread(target=lambda: (own.stop(signal.SIGKILL), own.start()))
        for line in submitted.logs(follow=True):
            seen.append((line.attempt, line.sequence))
            if len(seen) == 1:
                restarter.start()
        restarter.join()
        assert len(set(seen)) == len(seen) and seen == sorted(seen)
        assert seen[-1][0] == 2, "the lines of the second attempt"


def test_a_token_that_was_made_anew_is_found(own: Installation) -> None:
    with Client(own.url) as client:
        client.submit("greet").result(30)
        for ask in (lambda: client.submit("greet").result(30), lambda: list(client.logs(NOBODY, follow=True))):
            own.stop()
            shutil.rmtree(own.folder / "data")
            own.start()
            try:
                assert ask()
            except NotFound:
                pass


def test_patience_ends(own: Installation) -> None:
    own.stop()
    with Client(own.url, patience=0.5) as client:
        began = time.monotonic()
        with pytest.raises(MusterUnavailable, match="supervisor run") as told:
            client.submit("greet")
        assert "httpx" not in "".join(traceback.format_exception(told.value))
        assert 0.4 < time.monotonic() - began < 10
        with pytest.raises(MusterUnavailable):
            list(client.logs(NOBODY, follow=True))


def test_a_wait_is_no_longer_than_its_time(own: Installation) -> None:
    with Client(own.url, patience=60) as client:
        submitted = client.submit("greet")
        submitted.result(30)
        own.stop()
        began = time.monotonic()
        with pytest.raises((MusterUnavailable, NotFinished)):
            submitted.result(timeout=0.5)
        assert time.monotonic() - began < 10


class CutStream(httpx.SyncByteStream):
    """What comes through a connection that breaks after the third piece."""

    def __init__(self, inner: httpx.SyncByteStream) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        for place, chunk in enumerate(self._inner):
            if place == 3:
                yield chunk[: len(chunk) // 2]
                raise httpx.ReadError("the connection broke")
            yield chunk

    def close(self) -> None:
        self._inner.close()


class CutsStreams(httpx.BaseTransport):
    """Breaks every stream of events in the middle of an event."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()
        self.cursors: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        if request.url.params.get("follow"):
            self.cursors.append(request.url.params.get("cursor"))
            assert len(self.cursors) < 50, "it gets nowhere"
            assert isinstance(response.stream, httpx.SyncByteStream)
            response.stream = CutStream(response.stream)
        return response


def test_a_line_comes_once_however_often_the_connection_breaks(installation: Installation) -> None:
    cuts = CutsStreams()
    with Client(installation.url, transport=cuts) as client:
        submitted = client.submit("count", lines=30)
        assert [one.sequence for one in submitted.logs(follow=True)] == list(range(1, 31))
    assert len(cuts.cursors) > 2 and cuts.cursors[0] is None and all(cuts.cursors[1:])


class LosesAnswers(httpx.BaseTransport):
    """Passes questions on and loses the first answer to each kind, as a connection that breaks at the wrong moment."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()
        self.lost: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        if request.method == "POST" and request.url.path not in self.lost:
            response.read()
            self.lost.append(request.url.path)
            raise httpx.ReadError("the connection broke")
        return response


def test_a_submission_whose_answer_was_lost_is_one_execution(own: Installation) -> None:
    with Client(own.url, transport=LosesAnswers()) as client:
        submitted = client.submit("greet", name="Ada", _options=Options(priority=3))
        assert submitted.result(30) == {"greeting": "Hello, Ada!"}
        assert len(list(client.list())) == 1
        again = submitted.retry()
        assert again.result(30) == {"greeting": "Hello, Ada!"}
        assert len(list(client.list())) == 2
        assert submitted.cancel().outcome == "already_finished"
