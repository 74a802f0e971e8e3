"""What the process is to the system: its user and groups, and its place among those that wait for a processor."""

from __future__ import annotations

import os
from typing import Any, Optional

from .aspect import CannotPutBack



def _nothing(*_: Any) -> None:
    """Where the system has no such thing."""


_PRIO_PROCESS = getattr(os, "PRIO_PROCESS", 0)
# Taken before they are watched: see `touched`.
_priority, _set_priority = getattr(os, "getpriority", _nothing), getattr(os, "setpriority", _nothing)
_affinity, _set_affinity = getattr(os, "sched_getaffinity", _nothing), getattr(os, "sched_setaffinity", _nothing)
_scheduler, _set_scheduler = getattr(os, "sched_getscheduler", _nothing), getattr(os, "sched_setscheduler", _nothing)
_parameter = getattr(os, "sched_getparam", _nothing)


class Rank:
    """Noted before any user code is loaded; looked at when one of the functions was called that change it."""

    def __init__(self) -> None:
        self._ids = _ids()
        self._priority: Optional[int] = _priority(_PRIO_PROCESS, 0)
        self._affinity = _affinity(0)
        self._scheduling = _scheduling()

    def put_back(self) -> None:
        """Makes it as it was noted, as far as the system lets it."""
        if _ids() != self._ids:
            raise CannotPutBack("it is another user, or in other groups")
        if _affinity(0) != self._affinity:
            _set_affinity(0, self._affinity)
        try:
            if _scheduling() != self._scheduling:
                _set_scheduler(0, *self._scheduling)
            if _priority(_PRIO_PROCESS, 0) != self._priority:
                _set_priority(_PRIO_PROCESS, 0, self._priority)
        except PermissionError as error:
            raise CannotPutBack("its priority was lowered for good") from error


def _ids() -> Any:
    users = os.getresuid() if hasattr(os, "getresuid") else (os.getuid(), os.geteuid())
    groups = os.getresgid() if hasattr(os, "getresgid") else (os.getgid(), os.getegid())
    return users, groups, sorted(os.getgroups())


def _scheduling() -> Any:
    policy = _scheduler(0)
    return None if policy is None else (policy, _parameter(0))
