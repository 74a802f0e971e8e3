"""Loading one file so that it costs only its own workflows, whatever it does: it raises, exits, or does not come back."""

from __future__ import annotations

import faulthandler
import os
from typing import Callable, NoReturn, Optional, TypeVar

from . import interrupt
from .errors import LoadTimeout

_Loaded = TypeVar("_Loaded")
_LIMIT_LEAST_SECONDS = 2.0
_LAST_SECONDS = 2.0
# Taken before they are watched: see `surroundings.touched`.
_end_later, _cancel_end = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later


class LoadGuard:
    """The time that each file has. Files that do not come back leave less to the next: all must be through in time."""

    def __init__(self, seconds: Optional[float]) -> None:
        self._seconds = seconds

    @property
    def seconds(self) -> float:
        """What the next file has."""
        return self._seconds or 0.0

    def load(self, path: str, load: Callable[[], _Loaded]) -> _Loaded:
        """Loads it. Every way in which that ends is an exception, and any of them may be a `BaseException`."""
        leave, pid = os._exit, os.getpid()

        def refuse(status: int) -> NoReturn:
            if os.getpid() != pid:
                leave(status)
            raise SystemExit(status)

        os._exit = refuse
        interrupt.limit_load(self._seconds)
        if self._seconds is not None:
            # For C code that does not come back to Python. It says where it was, and ends the process.
            _end_later(self._seconds + _LAST_SECONDS, exit=True, file=2)
        try:
            return load()
        except interrupt.TookTooLong as error:
            seconds = self._seconds or 0.0
            self._seconds = max(seconds / 2, min(seconds, _LIMIT_LEAST_SECONDS))
            text = f"{path} was not loaded within {seconds:g} s; do at its top level only what every worker can wait for"
            raise LoadTimeout(text).with_traceback(error.__traceback__) from None
        finally:
            interrupt.limit_load(None)
            _cancel_end()
            os._exit = leave
