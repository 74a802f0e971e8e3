"""Which execution the calling code belongs to.

An execution belongs to a run, never to the process: what a run started is of that run for good, also after its end.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from types import FrameType
from typing import Optional

from .execution import Execution
from .user_code import is_user_code

carried: ContextVar[Optional[Execution]] = ContextVar("muster_execution", default=None)
"""Set in the main thread; coroutines and `asyncio.to_thread` inherit it, thread pools are given it."""

_STARTED_IN = "_muster_execution"
"""On a thread: the execution that started it."""


def current_or_none() -> Optional[Execution]:
    """The execution the caller belongs to; none for a thread that no execution started."""
    found = carried.get()
    return found if found is not None else getattr(threading.current_thread(), _STARTED_IN, None)


def mark_thread(thread: threading.Thread, starter: FrameType) -> None:
    """The thread belongs to the execution that starts it, and is missed at its end if user code started it."""
    execution = current_or_none()
    setattr(thread, _STARTED_IN, execution)
    if execution is not None:
        execution.started_thread(thread, is_user_code(starter))


def set_running(execution: Optional[Execution]) -> None:
    """Says which execution the main thread is in."""
    carried.set(execution)
