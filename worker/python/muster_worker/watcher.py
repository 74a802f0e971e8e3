"""The second thread: attends to the wire and the clock while the main thread is in user code.

While the worker waits for work the main thread reads the wire itself, so a short execution costs no
thread switch. The watcher wakes every tick while there is work and sleeps for good when there is none.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from .wire.limits import EXIT_SDK_BUG

if TYPE_CHECKING:
    from .session import Session

TICK_SECONDS = 0.02
_TICKS_BEFORE_SLEEP = 50


class Watcher:
    """A daemon thread beside the main thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asleep = False
        self._alarm: queue.SimpleQueue[None] = queue.SimpleQueue()

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._loop, name="muster-watcher", daemon=True).start()

    def nudge(self) -> None:
        """Says that there is work again. Costs nothing while the watcher is awake."""
        if self._asleep:
            self._asleep = False
            self._alarm.put(None)

    def _loop(self) -> None:
        try:
            self._watch()
        except Exception:
            # Without its watcher a worker would answer no cancel: better none than such a one.
            traceback.print_exc()
            self._session.departure.now(EXIT_SDK_BUG)

    def _watch(self) -> NoReturn:
        seen: Optional[Any] = None
        quiet_ticks = 0
        while True:
            busy = self._session.busy
            if busy is None:
                quiet_ticks += 1
                if quiet_ticks > _TICKS_BEFORE_SLEEP:
                    self._sleep()
                    quiet_ticks = 0
                else:
                    time.sleep(TICK_SECONDS)
            elif busy is not seen:
                # Most executions are over before the first tick, and never meet the watcher.
                seen, quiet_ticks = busy, 0
                time.sleep(TICK_SECONDS)
            else:
                self._session.attend(TICK_SECONDS)

    def _sleep(self) -> None:
        self._asleep = True
        if self._session.busy is None:
            self._alarm.get()
        self._asleep = False
