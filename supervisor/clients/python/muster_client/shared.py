"""Clients that nobody has to pass around: one for each process, and one for each event loop."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from weakref import WeakKeyDictionary

from .async_client import AsyncClient
from .client import Client
from .locks import lock_of_process

_given: dict[str, Any] = {}
_clients: dict[int, Client] = {}
_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()


def configure(url: str | None = None, token: str | None = None, *, patience: float = 30.0) -> None:
    """Says what the shared clients are made with, in the place of what the environment says. Call it at the start."""
    with lock_of_process():
        _given.update(url=url, token=token, patience=patience)
        _clients.clear()
        _async_clients.clear()


def shared_client() -> Client:
    """The client of this process. One that was forked has connections of its own."""
    with lock_of_process():
        process = os.getpid()
        if process not in _clients:
            # What the parent opened belongs to the parent.
            _clients.clear()
            _clients[process] = Client(**_given)
        return _clients[process]


def shared_async_client() -> AsyncClient:
    """The client of the running event loop."""
    loop = asyncio.get_running_loop()
    with lock_of_process():
        if loop not in _async_clients:
            _async_clients[loop] = AsyncClient(**_given)
        return _async_clients[loop]
