"""Which execution the calling code belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Optional

from .execution import Execution

carried: ContextVar[Optional[Execution]] = ContextVar("muster_execution", default=None)
"""Set in the main thread; coroutines and `asyncio.to_thread` inherit it, thread pools are given it."""

_running: Optional[Execution] = None
"""The execution of the main thread, for threads that user code started without a context."""


def current_or_none() -> Optional[Execution]:
    """The execution the caller belongs to."""
    return carried.get() or _running


def set_running(execution: Optional[Execution]) -> None:
    """Says which execution the main thread is in."""
    global _running
    _running = execution
    carried.set(execution)
