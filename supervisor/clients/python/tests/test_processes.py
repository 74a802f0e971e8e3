"""A client that was made before a fork, or in an event loop that is closed by now, goes on with connections of its own."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Iterator

import pytest

from muster_client import AsyncClient, Client, MusterError, shared_client
from muster_client.locks import lock_of_process


class Echo(BaseHTTPRequestHandler):
    """Answers each question with the id it was asked for, and the connection that it came over."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One row."""
        identity = self.path.split("?")[0].rsplit("/", 1)[-1]
        body = f'{{"execution_id": "{identity}", "workflow": "{self.client_address[1]}", "status": "SUCCESS"}}'.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_process_that_was_forked_has_connections_of_its_own(url: str) -> None:
    client = Client(url, "token")
    connections = {client.get("parent").workflow}
    readers = []
    for child in range(4):
        read, write = os.pipe()
        if os.fork() == 0:
            try:
                rows = [client.get(f"{child}-{n}") for n in range(50)]
                right = [row.execution_id for row in rows] == [f"{child}-{n}" for n in range(50)]
                os.write(write, f"{right} {len({row.workflow for row in rows})} {rows[0].workflow}".encode())
            finally:
                os._exit(0)
        os.close(write)
        readers.append(read)
    for reader in readers:
        right, number, connection = os.read(reader, 100).decode().split()
        assert (right, number) == ("True", "1")
        connections.add(connection)
    assert len(connections) == 5
    assert client.get("parent").workflow in connections
    client.close()


def test_coroutines_in_one_loop_after_another(url: str) -> None:
    client = AsyncClient(url, "token")

    async def ask() -> str:
        return (await client.get("one")).execution_id

    assert [asyncio.run(ask()) for _ in range(3)] == ["one"] * 3
    asyncio.run(client.close())


def test_many_loops_one_after_another_leave_nothing_open(url: str) -> None:
    client = AsyncClient(url, "token")

    async def ask() -> str:
        return (await client.get("one")).execution_id

    asyncio.run(ask())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        asyncio.run(ask())
    gc.collect()
    # The server is of this process too, and has the other ends until it sees that they are closed.
    end = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before + 10:
        assert time.monotonic() < end, before
        time.sleep(0.05)
    asyncio.run(client.close())


def test_a_loop_that_ends_closes_what_was_opened_in_it(url: str) -> None:
    client = AsyncClient(url, "token")

    async def ask(client: AsyncClient) -> None:
        await client.get("one")

    async def ask_and_let_go() -> None:
        # By a client that nobody has any more, and that nobody has closed.
        await ask(AsyncClient(url, "token"))
        gc.collect()
        await asyncio.sleep(0)

    gc.collect()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            asyncio.run(ask(client))
        asyncio.run(ask_and_let_go())
        gc.collect()
    assert [str(one.message) for one in told] == []


def test_a_process_that_was_forked_while_a_thread_made_a_client(url: str) -> None:
    client = Client(url, "token")
    client.get("parent")
    with lock_of_process():
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                shared_client()
                os._exit(0 if client.get("child").execution_id == "child" else 1)
            finally:
                os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    client.close()


def test_coroutines_of_two_loops_at_once_are_told_what_to_do(url: str) -> None:
    client = AsyncClient(url, "token")

    async def ask() -> str:
        return (await client.get("one")).execution_id

    async def twice() -> None:
        assert await ask() == "one"
        with pytest.raises(MusterError, match=r"another event loop: make one in each, or ask shared_async_client\(\)"):
            await asyncio.to_thread(asyncio.run, ask())
        await client.close()

    asyncio.run(twice())
