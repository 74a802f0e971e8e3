"""Settings of the interpreter: standard streams, hooks, limits, warnings, where modules are found."""

from __future__ import annotations

import builtins
import gc
import sys
import threading
import warnings
from functools import partial
from typing import Any, Callable, Dict, Tuple

from .. import streams
from .aspect import Aspect


# Taken before it is watched: to ask is no change.
_stack_size: Callable[..., Any] = threading.stack_size
BUILTINS = ("open", "print", "input", "__import__")
"""Those that are patched, where any are: to look at all of them would take as long as a short run."""


def _set_filters(filters: Tuple[Any, ...]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    changed = getattr(warnings, "_filters_mutated", None) or getattr(warnings, "_filters_mutated_lock_held", None)
    if changed is not None:
        changed()


def _set_path(path: Tuple[str, ...]) -> None:
    sys.path[:] = path


def _set_collecting(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


def _set_traceback_limit(limit: Any) -> None:
    if limit is None:
        vars(sys).pop("tracebacklimit", None)
    else:
        sys.tracebacklimit = limit


_WRITERS: Dict[str, Callable[[Any], None]] = {
    "filters": _set_filters,
    "path": _set_path,
    "argv": lambda value: sys.argv.__setitem__(slice(None), value),
    "showwarning": lambda value: setattr(warnings, "showwarning", value),
    "excepthook": lambda value: setattr(sys, "excepthook", value),
    "unraisablehook": lambda value: setattr(sys, "unraisablehook", value),
    "displayhook": lambda value: setattr(sys, "displayhook", value),
    "threading.excepthook": lambda value: setattr(threading, "excepthook", value),
    "recursionlimit": sys.setrecursionlimit,
    "switchinterval": sys.setswitchinterval,
    "collecting": _set_collecting,
    "thresholds": lambda value: gc.set_threshold(*value.of),
    "int_digits": lambda value: sys.set_int_max_str_digits(value),
    "formatwarning": lambda value: setattr(warnings, "formatwarning", value),
    "breakpointhook": lambda value: setattr(sys, "breakpointhook", value),
    "dont_write_bytecode": lambda value: setattr(sys, "dont_write_bytecode", value),
    "pycache_prefix": lambda value: setattr(sys, "pycache_prefix", value),
    "thread's name": lambda value: setattr(threading.main_thread(), "name", value),
    "tracebacklimit": _set_traceback_limit,
    "meta_path": lambda value: sys.meta_path.__setitem__(slice(None), value),
    "path_hooks": lambda value: sys.path_hooks.__setitem__(slice(None), value),
    "asyncgen_hooks": lambda value: sys.set_asyncgen_hooks(*value.of),
    "origin_depth": sys.set_coroutine_origin_tracking_depth,
    "callbacks": lambda value: gc.callbacks.__setitem__(slice(None), value),
    "debug": gc.set_debug,
    "stack_bytes": lambda value: _stack_size(value),
    **{name: partial(setattr, builtins, name) for name in BUILTINS},
}
_LISTS = ("filters", "path", "argv", "meta_path", "path_hooks", "callbacks")
_WHOLES = ("thresholds", "asyncgen_hooks")


class _Whole:
    """Keeps a tuple that is one value from being taken for a list of several."""

    def __init__(self, of: Tuple[Any, ...]) -> None:
        self.of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Whole) and self.of == other.of


class Interpreter(Aspect):
    """What a run finds in `sys`, `warnings`, `gc` and `threading`. A debugger stays where it is."""

    def glance(self) -> Any:
        """The same values as `read`, as fast as they can be had."""
        return [
            list(warnings.filters),
            list(sys.path),
            list(sys.argv),
            warnings.showwarning,
            sys.excepthook,
            sys.unraisablehook,
            sys.displayhook,
            threading.excepthook,
            sys.getrecursionlimit(),
            sys.getswitchinterval(),
            gc.isenabled(),
            gc.get_threshold(),
            _int_digits(),
            warnings.formatwarning,
            sys.breakpointhook,
            sys.dont_write_bytecode,
            sys.pycache_prefix,
            threading.main_thread().name,
            _sys.get("tracebacklimit"),
            sys.meta_path[:],
            sys.path_hooks[:],
            sys.get_asyncgen_hooks(),
            sys.get_coroutine_origin_tracking_depth(),
            gc.callbacks[:],
            gc.get_debug(),
            _stack_size(),
            *map(vars(builtins).get, BUILTINS),
        ]

    def read(self) -> Dict[Any, Any]:
        """All the values as they are."""
        values = dict(zip(_WRITERS, self.glance()))
        for name in _LISTS:
            values[name] = tuple(values[name])
        for name in _WHOLES:
            values[name] = _Whole(values[name])
        return values

    def write(self, name: Any, value: Any) -> None:
        """Puts one value back."""
        _WRITERS[name](value)


_sys = vars(sys)
_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")


class Streams:
    """`sys.stdin`, `sys.stdout` and `sys.stderr`, noted before any user code is loaded."""

    def __init__(self) -> None:
        self._noted: Tuple[Any, Any, Any] = (sys.stdin, sys.stdout, sys.stderr)

    def put_back(self) -> None:
        """Puts them back, made anew where they were closed, or changed so that lines would wait in a buffer."""
        stdin, stdout, stderr = self._noted
        if not streams.are_fit(stdout, stderr):
            stdout, stderr = streams.made_anew(stdout), streams.made_anew(stderr)
            self._noted = (stdin, stdout, stderr)
        for name, stream in zip(_STREAMS, self._noted * 2):
            _sys[name] = stream


_int_digits: Callable[[], Any] = getattr(sys, "get_int_max_str_digits", lambda: None)
