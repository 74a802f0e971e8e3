"""How the process ends, and what user code left running with it."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from typing import NoReturn

from . import streams

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
        timer = threading.Timer(seconds, self.now, (code,))
        timer.daemon = True
        timer.start()

    def orderly(self, code: int) -> NoReturn:
        """Gives what user code registered with atexit a moment; threads it left running get none."""
        self.later(code, _EXIT_SECONDS)
        atexit._run_exitfuncs()
        self.now(code)

    def _end_children(self) -> None:
        """Tells them to end, if the supervisor gave the worker a group of its own."""
        if self._is_supervised and os.getpgrp() == os.getpid():
            # It reaches us too. Only the main thread can have it ignored; elsewhere the handler looks at `has_begun`.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
