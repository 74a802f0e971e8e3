"""What a run costs: wall clock, CPU, memory."""

from __future__ import annotations

import os
import resource
import sys
import time

from .wire.messages import Metrics

_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_getrusage, _SELF = resource.getrusage, resource.RUSAGE_SELF
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Measures one run after another. What the process used between two of them, next to nothing, is the later one's."""

    def __init__(self) -> None:
        self._started_ns = time.monotonic_ns()
        self._user, self._system, _ = _getrusage(_SELF)[:3]

    def start(self) -> None:
        """A run begins."""
        self._started_ns = time.monotonic_ns()

    def read(self) -> Metrics:
        """What was used since."""
        user, system, peak = _getrusage(_SELF)[:3]
        metrics = Metrics(
            (time.monotonic_ns() - self._started_ns) // 1000,
            int((user - self._user) * 1_000_000),
            int((system - self._system) * 1_000_000),
            peak * _MAXRSS_UNIT_BYTES,
        )
        self._user, self._system = user, system
        return metrics


_RESIDENT_FRESH_SECONDS = 0.01
_resident = (0.0, 0)


def resident_bytes() -> int:
    """The resident set, at most ten milliseconds old; the peak where the system does not tell."""
    global _resident
    now = time.monotonic()
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
