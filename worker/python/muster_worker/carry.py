"""Threads and the execution: a thread belongs to the execution that started it, work in a pool to the one that gave it.

A thread does not inherit context variables, and a pool that lives in a module serves one execution after another with
the same threads. So the starting side's execution, and nothing else, is carried along.
"""

from __future__ import annotations

import _thread
import sys
import threading
from typing import Any, Callable, Dict, Tuple

from . import current

_POOLS: Dict[str, Tuple[str, Tuple[str, ...]]] = {
    "concurrent.futures.thread": ("ThreadPoolExecutor", ("submit",)),
    "multiprocessing.pool": ("ThreadPool", ("apply_async", "_map_async", "imap", "imap_unordered")),
}
"""By module: the class of the pool, and its methods that are given a function first."""


def into_threads() -> None:
    """Wraps what starts threads, once; the pools only when somebody imports them."""
    _wrap_threads()
    sys.meta_path.insert(0, _OnImport())


class _Carried:
    """A function that runs in the execution it was handed over from."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._execution = current.current_or_none()

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        # It stays set: callbacks of the work run in the same thread, after the function.
        current.carried.set(self._execution)
        return self._function(*args, **keywords)


def _wrap_threads() -> None:
    plain_start = threading.Thread.start
    plain_new = _thread.start_new_thread

    def start(self: threading.Thread) -> None:
        current.mark_thread(self)
        plain_start(self)

    def start_new_thread(function: Any, /, *args: Any) -> int:
        return plain_new(_Carried(function) if callable(function) else function, *args)

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
        return plain(self, _Carried(function), *args, **keywords)

    method.__name__, method.__doc__ = plain.__name__, plain.__doc__
    return method


class _OnImport:
    """Waits for the modules of the pools to be imported."""

    def __init__(self) -> None:
        self._awaited = set(_POOLS)

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The import system's question; answers each of the names once."""
        if name not in self._awaited:
            return None
        self._awaited.remove(name)
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _wrap_pool(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
