"""Working directory, umask, limits, and the three standard descriptors.

What costs as much to ask as to write is written after each run.
"""

from __future__ import annotations

import os
import resource
from typing import Any, Dict, List, Tuple

from .aspect import CannotPutBack

_STANDARD = (0, 1, 2)
_umask, _dup2, _chdir, _set_blocking = os.umask, os.dup2, os.chdir, os.set_blocking


class Process:
    """Noted before any user code is loaded."""

    def __init__(self) -> None:
        self._directory = os.getcwd()
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._copies: List[int] = [_copy_of(one) for one in _STANDARD]
        self._limits: Dict[int, Tuple[int, int]] = {}
        """What the limits were before user code set them."""
        self._known_limits = {which: _getrlimit(which) for which in _LIMITS}
        self._watch_limits()

    def be_born(self) -> None:
        """The standard descriptors are others than those of the template; they are noted in the same places."""
        for copy, descriptor in zip(self._copies, _STANDARD):
            _dup2(descriptor, copy, inheritable=False)

    def put_back(self) -> None:
        """Makes it as it was noted."""
        stdin, stdout, stderr = self._copies
        _dup2(stdin, 0)
        _dup2(stdout, 1)
        _dup2(stderr, 2)
        while self._limits:
            _set_limit(*self._limits.popitem())

    def look_at_limits(self) -> None:
        """Puts back what was set past `resource`: by C code, or by another process, which nobody can tell apart."""
        for which, wanted in self._known_limits.items():
            if _getrlimit(which) != wanted:
                _set_limit(which, wanted)

    def look(self) -> None:
        """Puts back what is known by `Touched`."""
        _umask(self._umask)
        # A pipe's end that asyncio was given is the same pipe for everybody.
        if not os.get_blocking(2):
            _set_blocking(2, True)
        try:
            if os.getcwd() == self._directory:
                return
        except FileNotFoundError:
            # The run has deleted the folder it was in.
            pass
        _chdir(self._directory)


    def _watch_limits(self) -> None:
        def setrlimit(which: int, limits: Any, /) -> None:
            before = resource.getrlimit(which)
            _setrlimit(which, limits)
            self._limits.setdefault(which, before)

        def prlimit(pid: int, which: int, *limits: Any) -> Any:
            before = _prlimit(pid, which, *limits)
            if limits and pid in (0, os.getpid()):
                self._limits.setdefault(which, before)
            return before

        setrlimit.__doc__ = _setrlimit.__doc__
        resource.setrlimit = setrlimit
        if _prlimit is not None:
            prlimit.__doc__ = _prlimit.__doc__
            resource.prlimit = prlimit


_getrlimit = resource.getrlimit
_LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})
_setrlimit = resource.setrlimit
_prlimit: Any = getattr(resource, "prlimit", None)


def _set_limit(which: int, wanted: Tuple[int, int]) -> None:
    try:
        _setrlimit(which, wanted)
    except ValueError as error:
        raise CannotPutBack(f"the limit of {_limit_name(which)} was lowered for good ({error})") from error


def _limit_name(which: int) -> str:
    return next((name for name, value in vars(resource).items() if name.startswith("RLIMIT_") and value == which), str(which))


def _copy_of(descriptor: int) -> int:
    copy = os.dup(descriptor)
    os.set_inheritable(copy, False)
    return copy
