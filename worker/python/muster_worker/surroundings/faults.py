"""`faulthandler`: what it is to do about faults, on which signals, and when. A watchdog that is left armed ends the process."""

from __future__ import annotations

import faulthandler
from typing import Any, Callable, Set

_is_enabled, _enable, _disable = faulthandler.is_enabled, faulthandler.enable, faulthandler.disable
_cancel = faulthandler.cancel_dump_traceback_later
_unregister: Any = getattr(faulthandler, "unregister", None)


class Faults:
    """Noted before any user code is loaded."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._was_enabled = _is_enabled()
        self._signals: Set[int] = set()
        self._watch(note)

    def put_back(self) -> None:
        """Makes it as it was noted; no watchdog is left armed, and no signal is left with it."""
        _cancel()
        while self._signals:
            _unregister(self._signals.pop())
        if _is_enabled() != self._was_enabled:
            (_enable if self._was_enabled else _disable)()

    def _watch(self, note: Callable[[str], None]) -> None:
        register: Any = getattr(faulthandler, "register", None)
        if register is None:
            return

        def noting(signum: int, *arguments: Any, **keywords: Any) -> None:
            note("faulthandler")
            self._signals.add(signum)
            register(signum, *arguments, **keywords)

        noting.__name__, noting.__doc__ = "register", register.__doc__
        faulthandler.register = noting
