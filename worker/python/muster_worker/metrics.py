"""What a run costs: wall clock, CPU, memory."""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Tuple

_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_getrusage, _SELF = resource.getrusage, resource.RUSAGE_SELF
_monotonic = time.monotonic
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Measures one run after another. What the process used between two of them, next to nothing, is the later one's."""

    def __init__(self) -> None:
        self._user, self._system, _ = _getrusage(_SELF)[:3]

    def read(self, started: float) -> Tuple[int, int, int, int]:
        """What was used since the last reading, in the order of `Metrics`; started by the clock of `time.monotonic`."""
        usage = _getrusage(_SELF)
        user, system, peak = usage[:3]
        wall_us = int((_monotonic() - started) * 1_000_000)
        user_us, system_us = int((user - self._user) * 1_000_000), int((system - self._system) * 1_000_000)
        self._user, self._system = user, system
        return wall_us, user_us, system_us, peak * _MAXRSS_UNIT_BYTES


_RESIDENT_FRESH_SECONDS = 0.01
_resident = (0.0, 0)


def resident_bytes() -> int:
    """The resident set, at most ten milliseconds old; the peak where the system does not tell."""
    global _resident
    now = _monotonic()
    if now - _resident[0] > _RESIDENT_FRESH_SECONDS:
        _resident = (now, _read_resident_bytes())
    return _resident[1]


def _read_resident_bytes() -> int:
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT_BYTES
    try:
        return int(os.read(statm, 256).split()[1]) * _PAGE_BYTES
    finally:
        os.close(statm)
