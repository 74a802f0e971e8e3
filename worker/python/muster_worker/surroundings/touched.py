"""Which functions of the standard library were called that change the process, so that nothing else need be looked at.

To ask the system after each run what it could have changed costs several times what a short run does. Python code
changes it by a few functions of `os` and `signal`; those are wrapped, and note that they were called. Once the process
holds C code that is not Python's own, which needs none of them, the process is looked at after each run.
"""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found]
import _thread
import faulthandler
import gc
import importlib.machinery
import logging
import os
import posix
import signal
import sys
import threading
import time
from types import ModuleType
from typing import Any, Callable, Dict, Optional, Set, Tuple

from .. import on_import

_OF_PROCESS = ("chdir", "fchdir", "chroot", "set_blocking", "umask")
_OF_SIGNALS = ("signal", "setitimer", "alarm", "pthread_sigmask", "set_wakeup_fd", "siginterrupt")
_OF_RANK = ("nice", "setpriority", "sched_setaffinity", "sched_setscheduler", "sched_setparam")
_OF_IDENTITY = (
    "setuid", "seteuid", "setreuid", "setresuid", "setgid", "setegid", "setregid", "setresgid", "setgroups", "initgroups",
)
_CHANGING: Dict[ModuleType, Tuple[str, ...]] = {
    os: _OF_PROCESS + _OF_RANK + _OF_IDENTITY,
    posix: _OF_PROCESS + _OF_RANK + _OF_IDENTITY,
    signal: _OF_SIGNALS,
    _signal: _OF_SIGNALS,
    sys: ("setrecursionlimit", "setswitchinterval", "set_int_max_str_digits", "set_coroutine_origin_tracking_depth"),
    gc: ("enable", "disable", "set_threshold", "set_debug", "freeze", "unfreeze"),
    threading: ("stack_size",),
    _thread: ("stack_size",),
    time: ("tzset",),
    logging: ("addLevelName",),
    faulthandler: ("enable", "disable", "unregister", "dump_traceback_later"),
    _locale: ("setlocale",),
}
_FOR_GOOD = {sys: ("addaudithook",), os: ("register_at_fork",), posix: ("register_at_fork",)}
"""What nobody can take back. What a module does while it is imported stays, as the module does."""
_CHANGING_WHEN_IMPORTED = {
    "locale": ("_setlocale",),
    "socket": ("setdefaulttimeout",),
    "_socket": ("setdefaulttimeout",),
}
_FOREIGN = ("_ctypes", "_cffi_backend")


class Touched:
    """Made once, before any user code is loaded."""

    def __init__(self) -> None:
        self.by: Set[str] = set()
        """The names of the functions that were called since somebody looked."""
        self.for_good: Set[str] = set()
        """Those of them whose effect stays as long as the process."""
        self._modules = 0
        self._has_foreign_code = False
        # Of `posix` and `_signal` too, where `os` and `signal` have them from.
        for module, names in _CHANGING.items():
            self._watch(module, names)
        for module, names in _FOR_GOOD.items():
            self._watch(module, names, self.for_good)
        for name, names in _CHANGING_WHEN_IMPORTED.items():
            on_import.when_imported(name, lambda module, names=names: self._watch(module, names))  # type: ignore[misc]

    def _watch(self, module: ModuleType, names: Tuple[str, ...], besides: Optional[Set[str]] = None) -> None:
        for name in names:
            if hasattr(module, name):
                setattr(module, name, self._noting(name, getattr(module, name), besides))

    def has_foreign_code(self) -> bool:
        """True once the process holds C code that may change it behind Python's back."""
        if len(sys.modules) != self._modules and not self._has_foreign_code:
            self._modules = len(sys.modules)
            self._has_foreign_code = any(map(_is_foreign, list(sys.modules.values())))
        return self._has_foreign_code

    def _noting(self, name: str, plain: Callable[..., Any], besides: Optional[Set[str]]) -> Callable[..., Any]:
        note = self.by.add

        def noting(*arguments: Any, **keywords: Any) -> Any:
            note(name)
            if besides is not None:
                besides.add(name)
            return plain(*arguments, **keywords)

        noting.__name__, noting.__doc__ = plain.__name__, plain.__doc__
        return noting


def _is_foreign(module: Any) -> bool:
    if getattr(module, "__name__", "") in _FOREIGN:
        return True
    spec = getattr(module, "__spec__", None)
    if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
        return False
    folder = os.path.dirname(spec.origin or "")
    return os.path.basename(folder) != "lib-dynload"
