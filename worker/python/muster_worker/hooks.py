"""Functions of the user's that are called when a worker starts, and around every run: for pools and error trackers."""

from __future__ import annotations

import inspect
import logging
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, TypeVar

from . import on_import

Hook = TypeVar("Hook", bound=Callable[..., Any])

_log = logging.getLogger("muster_worker")
_Key = Tuple[str, str]
run_starts: Dict[_Key, Callable[[], Any]] = {}
run_ends: Dict[_Key, Callable[[Optional[BaseException]], Any]] = {}
_after_forks: Dict[_Key, Callable[[], Any]] = {}
_not_started: Dict[_Key, Callable[[], Any]] = {}
Reach = Callable[[], Optional[Set[str]]]
"""The modules that a workflow's file imports, itself included; None stands for all."""
INLINE_MODULE = "__muster_inline__"


def on_worker_start(function: Hook) -> Hook:
    """Called once in each worker, when the file it stands in has been loaded; again when that has changed.

    What it raises costs the workflows of the files that import it, and it is called again for the next one.
    """
    _not_started[_key(function)] = function
    return function


def after_fork(function: Hook) -> Hook:
    """Called in each worker that a template has made, before its first run: it opens anew what was opened at import.

    A connection that is open in the template would be shared by all its workers. Without a template it is not called.
    What it raises is the end of that worker's start.
    """
    _after_forks[_key(function)] = function
    return function


def on_run_start(function: Hook) -> Hook:
    """Called before each run, with its `context`.

    What it raises is the run's error, if the workflow's file imports the one it stands in; else it is logged.
    """
    run_starts[_key(function)] = function
    return function


def on_run_end(function: Hook) -> Hook:
    """Called after each run, with its `context` and its error or None. What it raises is logged, and changes nothing."""
    run_ends[_key(function)] = function
    return function


def _key(function: Any) -> _Key:
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise TypeError(f"{function!r} is no hook: write a plain function")
    if function.__module__ == INLINE_MODULE:
        raise RuntimeError("inline code has no hooks: they belong in a file of the workflows folder, which stays")
    return function.__module__, function.__qualname__


def forget(module: str) -> None:
    """Drops the hooks of a module that is loaded anew."""
    for hooks in (run_starts, run_ends, _not_started, _after_forks):
        for key in [one for one in hooks if one[0] == module]:
            del hooks[key]


def are_waiting() -> bool:
    """True when there are hooks that have not been called yet."""
    return bool(_not_started)


def start_worker(reach: Reach) -> None:
    """Calls what is within reach and has not been called yet."""
    modules = reach()
    for key in [one for one in _not_started if _is_within(one, modules)]:
        # What it sets stays, as that of a module that is imported.
        on_import.outermost(_not_started[key])
        _not_started.pop(key, None)


def are_for_forks() -> bool:
    """True when there are hooks for workers that were forked."""
    return bool(_after_forks)


def call_after_fork() -> None:
    """In a worker that its template made, in the order in which they came."""
    for hook in list(_after_forks.values()):
        hook()


def start_run(reach: Reach) -> None:
    """Calls every hook, in the order in which they came."""
    for key, hook in _ready(run_starts):
        try:
            hook()
        except Exception:
            if _is_within(key, reach()):
                raise
            _log.exception("the hook %s.%s failed", *key)


def end_run(error: Optional[BaseException]) -> None:
    """Calls every hook, the last one first."""
    for key, hook in reversed(_ready(run_ends)):
        try:
            hook(error)
        except Exception:
            _log.exception("the hook %s.%s failed", *key)


def without(function: Callable[[], None]) -> None:
    """Calls it as if there were none around runs."""
    starts, ends = dict(run_starts), dict(run_ends)
    run_starts.clear()
    run_ends.clear()
    try:
        function()
    finally:
        run_starts.update(starts)
        run_ends.update(ends)


def _ready(hooks: Dict[_Key, Any]) -> List[Tuple[_Key, Any]]:
    """Those whose file could be started: what has no connection has nothing to do in a run."""
    waiting = {module for module, _ in _not_started}
    return [(key, hook) for key, hook in hooks.items() if key[0] not in waiting]


def _is_within(key: _Key, modules: Optional[Set[str]]) -> bool:
    """True for a hook in one of the modules, or in the package that one of them is of."""
    return modules is None or key[0] in modules or key[0].partition(".")[0] in modules
