"""Thread pools and the execution: work handed to a pool belongs to the execution that handed it over.

Pools that live in a module serve one execution after another with the same threads, and a thread does
not inherit context variables. So the submitting side's execution, and nothing else, is carried along.
"""

from __future__ import annotations

import sys
from typing import Any

from . import current


def into_thread_pools() -> None:
    """Wraps `ThreadPoolExecutor.submit`, once, without importing it before somebody needs it."""
    sys.meta_path.insert(0, _OnImport())


class _Carried:
    """A function that runs in the execution it was submitted from."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._execution = current.current_or_none()

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        token = current.carried.set(self._execution)
        try:
            return self._function(*args, **keywords)
        finally:
            current.carried.reset(token)


def _wrap(module: Any) -> None:
    pool = module.ThreadPoolExecutor
    plain = pool.submit

    def submit(self: Any, function: Any, /, *args: Any, **keywords: Any) -> Any:
        return plain(self, _Carried(function), *args, **keywords)

    submit.__doc__ = plain.__doc__
    pool.submit = submit


class _OnImport:
    """Waits for `concurrent.futures.thread` to be imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The import system's question; answers only the one name, and only once."""
        if name != "concurrent.futures.thread":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _wrap(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
