"""Timers of `timer_create`, which only C code makes: nobody else can stop them, and most end the process when they are due."""

from __future__ import annotations

import os
import signal

from .aspect import CannotPutBack

_FILE = "/proc/self/timers"
_getsignal = signal.getsignal


def refuse_deadly() -> None:
    """Raises where one is left whose signal nobody handles."""
    try:
        descriptor = os.open(_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # The system does not tell.
        return
    try:
        text = os.read(descriptor, 65536)
    finally:
        os.close(descriptor)
    for timer in text.split(b"ID: ")[1:] if text else ():
        lines = dict(line.split(b": ", 1) for line in timer.splitlines()[1:] if b": " in line)
        number = int(lines.get(b"signal", b"0").split(b"/")[0])
        if lines.get(b"notify", b"").startswith(b"signal/") and number and _getsignal(number) is signal.SIG_DFL:
            raise CannotPutBack(f"C code left a timer that ends the process by signal {number}")
