"""Threads and the execution: a thread belongs to the execution that started it, work in a pool to the one that gave it.

A thread does not inherit context variables, and a pool that lives in a module serves one execution after another with
the same threads. So the starting side's execution, and nothing else, is carried along.
"""

from __future__ import annotations

import _thread
import sys
import threading
from typing import Any, Callable, Dict, List, Tuple

from . import current, on_import

_POOLS: Dict[str, Tuple[str, Tuple[str, ...]]] = {
    "concurrent.futures.thread": ("ThreadPoolExecutor", ("submit",)),
    "multiprocessing.pool": ("ThreadPool", ("apply_async", "_map_async", "imap", "imap_unordered")),
}
"""By module: the class of the pool, and its methods that are given a function first."""


def into_threads() -> None:
    """Wraps what starts threads, once; the pools only when somebody imports them."""
    if not on_import.install():
        return
    _wrap_threads()
    for module in _POOLS:
        on_import.when_imported(module, _wrap_pool)


class Carried:
    """A function that runs in the execution it was handed over from."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._execution = current.current_or_none()
        self._calls: List[int] = []
        self._was_called = False
        if self._execution is not None:
            self._execution.handed_over(self)

    @property
    def is_at_work(self) -> bool:
        """True while it runs, or is still to run."""
        return bool(self._calls) or not self._was_called

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        # It stays set: callbacks of the work run in the same thread, after the function.
        current.carried.set(self._execution)
        # A list, because `map` calls one function in several threads, and these two are atomic.
        self._calls.append(1)
        try:
            return self._function(*args, **keywords)
        finally:
            self._was_called = True
            self._calls.pop()


def _wrap_threads() -> None:
    plain_start = threading.Thread.start
    plain_new = _thread.start_new_thread

    def start(self: threading.Thread) -> None:
        current.mark_thread(self, sys._getframe(1))
        plain_start(self)

    def start_new_thread(function: Any, /, *args: Any) -> int:
        return plain_new(Carried(function) if callable(function) else function, *args)

    start.__doc__ = plain_start.__doc__
    start_new_thread.__doc__ = plain_new.__doc__
    threading.Thread.start = start  # type: ignore[method-assign]
    _thread.start_new_thread = start_new_thread


def _wrap_pool(module: Any) -> None:
    kind, methods = _POOLS[module.__name__]
    pool = getattr(module, kind)
    for name in methods:
        setattr(pool, name, _handing_over(getattr(pool, name)))


def _handing_over(plain: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, function: Any, /, *args: Any, **keywords: Any) -> Any:
        return plain(self, Carried(function), *args, **keywords)

    method.__name__, method.__doc__ = plain.__name__, plain.__doc__
    return method
