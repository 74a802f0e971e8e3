"""How the process ends, and what user code left running with it."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from _thread import start_new_thread
from typing import Callable, NoReturn

from . import streams

try:
    # The public one makes enums of what are none, which every process would do at its end.
    from _signal import SIG_IGN  # type: ignore[import-not-found]
    from _signal import signal as _signal
except ImportError:
    from signal import SIG_IGN
    from signal import signal as _signal

_EXIT_SECONDS = 1.0


class Departure:
    """Made before the environment is scrubbed, which tells whether the process group is the worker's own."""

    def __init__(self) -> None:
        self.has_begun = False
        self._is_supervised = "MUSTER_PROTOCOL" in os.environ

    def now(self, code: int) -> NoReturn:
        """Ends the process at once. For any thread."""
        self.has_begun = True
        streams.flush()
        self._end_children()
        os._exit(code)

    def later(self, code: int, seconds: float) -> None:
        """Ends the process then, unless it has ended by itself."""

        def leave() -> None:
            time.sleep(seconds)
            self.now(code)

        start_new_thread(leave, ())

    def orderly(self, code: int, is_seen_to: Callable[[int, float], bool]) -> NoReturn:
        """Gives what user code registered with atexit a moment; threads it left running get none.

        `is_seen_to` ends the process later, as `later` does, if somebody is there who can.
        """
        if not is_seen_to(code, _EXIT_SECONDS):
            self.later(code, _EXIT_SECONDS)
        atexit._run_exitfuncs()
        self.now(code)

    def _end_children(self) -> None:
        """Tells them to end, if the supervisor gave the worker a group of its own."""
        if self._is_supervised and os.getpgrp() == os.getpid():
            # It reaches us too. Only the main thread can have it ignored; elsewhere the handler looks at `has_begun`.
            if threading.current_thread() is threading.main_thread():
                _signal(signal.SIGTERM, SIG_IGN)
            os.killpg(0, signal.SIGTERM)
