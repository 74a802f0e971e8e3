"""Which worker this process is, for whoever looks at it from outside: the id in its environment.

The supervisor finds what a worker left behind by the id in `/proc/PID/environ`, which shows the environment that a
process was started with. A forked process shows that of its template; so the id is written over there, in place.
"""

from __future__ import annotations

import os
from typing import Optional

NAME = "MUSTER_WORKER_ID"
_ENVIRONMENT_START_FIELD = 50
"""Of `/proc/PID/stat`, counted from 1 as in its manual page."""


class ShownIdentity:
    """Made in the template; where its environment lies is the same in all its children."""

    def __init__(self) -> None:
        self._known = os.environ.get(NAME, "")
        self._address = _address_of(self._known)

    def become(self, worker_id: str) -> None:
        """In a child."""
        data = worker_id.encode("ascii", "replace")
        if self._address is None or len(data) != len(self._known):
            return
        try:
            memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            # Where that is closed, the supervisor finds what has this worker among its parents.
            return
        try:
            os.pwrite(memory, data, self._address)
        except OSError:
            return
        finally:
            os.close(memory)


def _address_of(value: str) -> Optional[int]:
    try:
        with open("/proc/self/environ", "rb") as environment:
            at = (b"\0" + environment.read()).find(f"\0{NAME}={value}\0".encode("ascii", "replace"))
        with open("/proc/self/stat", "rb") as stat:
            # The program's name, in parentheses, may hold anything.
            fields = stat.read().rpartition(b")")[2].split()
        return None if at < 0 or not value else int(fields[_ENVIRONMENT_START_FIELD - 3]) + at + len(NAME) + 1
    except (OSError, IndexError, ValueError):
        return None
