"""Signal handlers, timers, the signal mask and the descriptor that signals are written to.

All functions are taken before they are wrapped: see `touched`.
"""

from __future__ import annotations

import signal
from typing import Any, Callable, List, Set

try:
    # Asked after each run, and several times faster than the public ones, which make enums of what are none.
    from _signal import getsignal, pthread_sigmask  # type: ignore[import-not-found]
except ImportError:
    from signal import getsignal, pthread_sigmask

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_signal: Callable[[Any, Any], Any] = signal.signal
_setitimer = signal.setitimer
_set_wakeup_fd = signal.set_wakeup_fd


class Signals:
    """Noted before any user code is loaded, with the worker's own handlers in place."""

    def __init__(self) -> None:
        self._numbers: List[int] = sorted(int(one) for one in signal.valid_signals())
        self._handlers = list(map(getsignal, self._numbers))
        self._mask = pthread_sigmask(signal.SIG_BLOCK, ())

    def put_back(self) -> None:
        """Makes it as it was noted; no timer is left running."""
        for timer in _TIMERS:
            _setitimer(timer, 0)
        _set_wakeup_fd(-1)
        mask = pthread_sigmask(signal.SIG_BLOCK, ())
        if mask != self._mask:
            self._drop(signal.sigpending() & (mask - self._mask))
        if list(map(getsignal, self._numbers)) != self._handlers:
            self._set_handlers()
        if mask != self._mask:
            pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _drop(self, held_back: Set[Any]) -> None:
        """Takes away what was sent to the run and held back by it, so that it does not end the worker."""
        for number in held_back - {signal.SIGTERM}:
            _signal(number, signal.SIG_IGN)

    def _set_handlers(self) -> None:
        for number, handler in zip(self._numbers, self._handlers):
            # A handler that is None was set by C code, and only C code can set it again.
            if handler is not None and getsignal(number) is not handler:
                _signal(number, handler)
