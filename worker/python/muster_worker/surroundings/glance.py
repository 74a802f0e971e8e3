"""What user code changes without a call that `Touched` notes, all of it looked at in one step.

A run changes next to nothing of it, and many are over sooner than a question for each thing would take.
"""

from __future__ import annotations

import builtins
import gc
import logging
import os
import sys
import threading
import warnings
from operator import itemgetter
from typing import Any, Optional, Tuple

from ..streams import are_fit
from .interpreter import BUILTINS
from .loggers import of_module
from .seldom import Seldom

# By their dictionaries: one step for all the values of a module, where each attribute would take one of its own.
_of_sys = itemgetter(
    "path", "argv", "excepthook", "unraisablehook", "displayhook", "stdin", "stdout", "stderr",
    "meta_path", "path_hooks", "breakpointhook", "dont_write_bytecode", "pycache_prefix",
)
_main = vars(threading.main_thread())
_of_warnings = itemgetter("filters", "showwarning", "formatwarning")
_of_builtins = itemgetter(*BUILTINS)
_sys, _warnings, _threading, _logging, _builtins = map(vars, (sys, warnings, threading, logging, builtins))


class Glance:
    """Says whether anything is another than it was; which, and what is to be done, the aspects know."""

    def __init__(self) -> None:
        self._environ = os.environ
        self._noted: Optional[Tuple[Any, ...]] = None
        self._seldom = Seldom()

    def note(self) -> None:
        """From now on this is how it should be."""
        self._noted = _copied(self._look())
        self._seldom.note()

    def forget(self) -> None:
        """From now on nobody knows how it should be."""
        self._noted = None

    def is_as_noted(self) -> bool:
        """True when none of it has changed."""
        try:
            return (
                self._look() == self._noted
                # Another mapping of the same variables is equal, and yet not what child processes are given.
                and os.environ is self._environ
                and are_fit(_sys["stdout"], _sys["stderr"])
                and (not self._seldom.may_differ or self._seldom.is_as_noted())
            )
        except (AttributeError, KeyError):
            # Removed, or a stream that is none of ours.
            return False

    def _look(self) -> Tuple[Any, ...]:
        return (
            _of_sys(_sys),
            _sys.get("tracebacklimit"),
            _of_warnings(_warnings),
            _threading["excepthook"],
            _main.get("_name"),
            of_module(_logging),
            _of_builtins(_builtins),
            len(_builtins),
            gc.callbacks,
        )


def _copied(value: Any) -> Any:
    """With copies of the lists: they are changed in place."""
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    return value[:] if isinstance(value, list) else value
