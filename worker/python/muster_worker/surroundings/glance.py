"""What user code changes without a call that `Touched` notes, all of it looked at in one step.

A run changes next to nothing of it, and many are over sooner than a question for each thing would take.
"""

from __future__ import annotations

import builtins
import decimal
import gc
import logging
import os
import sys
import threading
import warnings
from operator import attrgetter, itemgetter
from typing import Any, Optional, Tuple

from .interpreter import BUILTINS
from .libraries import DECIMAL
from .loggers import of_module

# By their dictionaries: one step for all the values of a module, where each attribute would take one of its own.
_of_sys = itemgetter(
    "path", "argv", "excepthook", "unraisablehook", "displayhook", "stdin", "stdout", "stderr",
    "meta_path", "path_hooks", "breakpointhook", "dont_write_bytecode",
)
_of_warnings = itemgetter("filters", "showwarning", "formatwarning")
_of_builtins = itemgetter(*BUILTINS)
_of_logger = itemgetter("handlers", "filters")
_of_handler = itemgetter("level", "filters")
_of_decimal = attrgetter(*DECIMAL)
_sys, _warnings, _threading, _logging, _builtins = map(vars, (sys, warnings, threading, logging, builtins))
_asyncgen_hooks = sys.get_asyncgen_hooks


class Glance:
    """Says whether anything is another than it was; which, and what is to be done, the aspects know."""

    def __init__(self, own: logging.Handler) -> None:
        root = logging.getLogger()
        self._own, self._root, self._manager = vars(own), vars(root), root.manager
        self._environ = os.environ
        self._noted: Optional[Tuple[Any, ...]] = None
        self._decimal = decimal.DefaultContext

    def note(self) -> None:
        """From now on this is how it should be."""
        self._noted = _copied(self._look())
        self._decimal = decimal.DefaultContext.copy()

    def forget(self) -> None:
        """From now on nobody knows how it should be."""
        self._noted = None

    def is_as_noted(self) -> bool:
        """True when none of it has changed."""
        try:
            # Another mapping of the same variables is equal, and yet not what child processes are given.
            is_same = self._look() == self._noted and os.environ is self._environ
            return is_same and bool(decimal.DefaultContext.traps == self._decimal.traps)
        except (AttributeError, KeyError, ValueError):
            # Removed, or a stream that is detached from its descriptor or is none of ours.
            return False

    def _look(self) -> Tuple[Any, ...]:
        stdout, stderr = _sys["stdout"], _sys["stderr"]
        return (
            _of_sys(_sys),
            _sys.get("tracebacklimit"),
            (stdout.closed, stderr.closed, stdout.is_as_made, stderr.is_as_made),
            _of_warnings(_warnings),
            _threading["excepthook"],
            _of_decimal(decimal.DefaultContext),
            of_module(_logging),
            self._manager.disable,
            _of_builtins(_builtins),
            _asyncgen_hooks(),
            gc.callbacks,
            _of_handler(self._own),
            _of_logger(self._root),
        )


def _copied(value: Any) -> Any:
    """With copies of the lists: they are changed in place."""
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    return value[:] if isinstance(value, list) else value
