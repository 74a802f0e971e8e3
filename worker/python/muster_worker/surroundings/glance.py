"""What user code changes without a call that `Touched` notes, all of it looked at in one step.

A run changes next to nothing of it, and many are over sooner than a question for each thing would take.
"""

from __future__ import annotations

import decimal
import logging
import os
import sys
import threading
import warnings
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Optional, Tuple

_look = attrgetter(
    *("sys.path", "sys.argv", "sys.excepthook", "sys.unraisablehook", "sys.displayhook"),
    *("sys.stdin", "sys.stdout", "sys.stderr", "sys.stdout.closed", "sys.stderr.closed"),
    *("sys.stdout.is_as_made", "sys.stderr.is_as_made"),
    *("warnings.filters", "warnings.showwarning", "threading.excepthook"),
    *("decimal.DefaultContext.prec", "decimal.DefaultContext.rounding"),
    *("logging.raiseExceptions", "manager.disable", "own.level", "own.filters", "root.handlers", "root.filters"),
)


class Glance:
    """Says whether anything is another than it was; which, and what is to be done, the aspects know."""

    def __init__(self, own: logging.Handler) -> None:
        root = logging.getLogger()
        self._at = SimpleNamespace(
            sys=sys,
            warnings=warnings,
            threading=threading,
            decimal=decimal,
            logging=logging,
            manager=root.manager,
            root=root,
            own=own,
        )
        self._environ = os.environ
        self._noted: Optional[Tuple[Any, ...]] = None

    def note(self) -> None:
        """From now on this is how it should be."""
        # Copies of the lists: they are changed in place.
        self._noted = tuple(one[:] if isinstance(one, list) else one for one in _look(self._at))

    def forget(self) -> None:
        """From now on nobody knows how it should be."""
        self._noted = None

    def is_as_noted(self) -> bool:
        """True when none of it has changed."""
        try:
            # Another mapping of the same variables is equal, and yet not what child processes are given.
            return bool(_look(self._at) == self._noted) and os.environ is self._environ
        except (AttributeError, ValueError):
            # Removed, or a stream that is detached from its descriptor or is none of ours.
            return False
