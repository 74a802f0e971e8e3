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
        self._usage = _getrusage(_SELF)

    def start(self) -> None:
        """A run begins."""
        self._started_ns = time.monotonic_ns()

    def read(self) -> Metrics:
        """What was used since."""
        before, now = self._usage, _getrusage(_SELF)
        self._usage = now
        return Metrics(
            (time.monotonic_ns() - self._started_ns) // 1000,
            int((now.ru_utime - before.ru_utime) * 1_000_000),
            int((now.ru_stime - before.ru_stime) * 1_000_000),
            now.ru_maxrss * _MAXRSS_UNIT_BYTES,
        )


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
