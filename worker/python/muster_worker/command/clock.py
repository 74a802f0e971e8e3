"""The supervisor's clock for a run in a terminal: deadline, cancel, and an end for what does not end.

It stands still while a debugger waits at its prompt, so `breakpoint()` can be used in a workflow with a
timeout.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Callable, NamedTuple, Optional

from .. import interrupt, stacks
from ..execution import CancelRequest, Execution

TICK_SECONDS = 0.02
_DEBUGGERS = ("bdb", "pdb", "ipdb", "pudb", "pydevd", "debugpy", "_pydevd_bundle")


class LaterCancel(NamedTuple):
    """A cancel that somebody will ask for."""

    after_seconds: float
    request: CancelRequest


class Clock:
    """Ends an execution as a supervisor would: it asks, insists after the grace, and then ends it by force."""

    def __init__(
        self,
        execution: Execution,
        grace_seconds: float,
        force_seconds: float,
        by_force: Callable[[], None],
        later: Optional[LaterCancel] = None,
    ) -> None:
        self._execution = execution
        self._grace_seconds = grace_seconds
        self._force_seconds = force_seconds
        self._by_force = by_force
        self._later = later
        self._asked_at: Optional[float] = None
        self._insisted = False

    def start(self) -> None:
        """Starts the thread. The execution's own clock is started by now."""
        threading.Thread(target=self._loop, name="muster-watcher", daemon=True).start()

    def _loop(self) -> None:
        stacks.of_the_sdk.add(threading.get_ident())
        before, paused_seconds = time.monotonic(), 0.0
        while not self._execution.closed:
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            if _at_a_prompt():
                paused_seconds += now - before
            else:
                self._tick(now - paused_seconds)
            before = now

    def _tick(self, now: float) -> None:
        execution, later = self._execution, self._later
        if later is not None and now >= execution.started + later.after_seconds:
            execution.request_cancel(*later.request)
        execution.check_deadline(now, 0.0)
        if execution.request is not None:
            self._end(now)
        if execution.due():
            interrupt.wake()

    def _end(self, now: float) -> None:
        """The steps after a cancel, each when its time has come."""
        if self._asked_at is None:
            self._asked_at = now
        asked_seconds = now - self._asked_at
        if asked_seconds >= self._grace_seconds and not self._insisted:
            self._insisted = True
            self._execution.insist()
        if asked_seconds >= self._grace_seconds + self._force_seconds and not self._execution.closed:
            self._by_force()


def _at_a_prompt() -> bool:
    """True while the main thread is inside a debugger."""
    main = threading.main_thread().ident
    frame = sys._current_frames().get(main) if main is not None else None
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False
