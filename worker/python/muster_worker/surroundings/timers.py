"""Timers of `timer_create`, which only C code makes: nobody else can stop them, and most end the process when they are due."""

from __future__ import annotations

import os
import signal
from typing import Dict, FrozenSet

from .aspect import CannotPutBack

_FILE = "/proc/self/timers"
_getsignal = signal.getsignal
_HARMLESS = {getattr(signal, name, 0) for name in ("SIGCHLD", "SIGWINCH", "SIGURG", "SIGCONT")}
"""What the system ignores where nobody handles it."""


class Timers:
    """Noted when all is loaded: what is there by then is of what was loaded, and stays as that does."""

    def __init__(self) -> None:
        self._noted: FrozenSet[bytes] = frozenset()

    def note(self) -> None:
        """From now on this is how it should be."""
        self._noted = frozenset(_deadly())

    def be_born(self) -> None:
        """A fork has none of its parent's timers."""
        self._noted = frozenset()

    def refuse_deadly(self) -> None:
        """Raises where one is left whose signal nobody handles."""
        for identity, number in _deadly().items():
            if identity not in self._noted:
                raise CannotPutBack(f"C code left a timer that ends the process by signal {number}")


def _deadly() -> Dict[bytes, int]:
    """The signals of those that end the process, by the timers' ids."""
    try:
        descriptor = os.open(_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # The system does not tell.
        return {}
    try:
        text = os.read(descriptor, 65536)
    finally:
        os.close(descriptor)
    found: Dict[bytes, int] = {}
    for timer in (b"\n" + text).split(b"\nID: ")[1:]:
        identity, *rest = timer.splitlines()
        lines = dict(line.split(b": ", 1) for line in rest if b": " in line)
        number = int(lines.get(b"signal", b"0").split(b"/")[0])
        is_sent = lines.get(b"notify", b"").startswith(b"signal/") and number and number not in _HARMLESS
        if is_sent and _getsignal(number) is signal.SIG_DFL:
            found[identity] = number
    return found
