"""The second thread: attends to the wire and the clock while the main thread is in user code.

While the worker waits for work the main thread reads the wire itself, so a short execution costs no
thread switch. The watcher wakes every tick while there is work and sleeps for good when there is none.
"""

from __future__ import annotations

import queue
import time
import traceback
from _thread import allocate_lock, get_ident, start_new_thread
from typing import TYPE_CHECKING, Any, Optional, Tuple

from . import interrupt, stacks
from .execution import Execution
from .wire.limits import EXIT_DONE, EXIT_OUT_OF_MEMORY, EXIT_SDK_BUG, LOG_BATCH_MAX_AGE_SECONDS
from .wire.messages import CancelReason

if TYPE_CHECKING:
    from .session import Session

TICK_SECONDS = 0.02
_TICKS_BEFORE_SLEEP = 50
_DEADLINE_SLACK_SECONDS = 0.025
_LEAVE_SECONDS = 1.5


class Watcher:
    """A thread beside the main thread, with as little to it as can be: many a worker starts it for one short run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rests = True
        """True while it is not started, or sleeps for good: it is to be nudged when there is work."""
        self._is_lost = False
        self._is_over = False
        self._is_started = False
        self.stays_away = False
        """True where no thread may be, whoever says that there is work."""
        self._last: Optional[Tuple[int, float]] = None
        """The exit code, and when the process ends with it, once the session is over."""
        self._ended = allocate_lock()
        self._alarm: queue.SimpleQueue[None] = queue.SimpleQueue()

    def start(self) -> None:
        """Starts the thread."""
        self._is_over, self._is_started, self.rests = False, True, False
        self._ended.acquire()
        start_new_thread(self._loop, ())

    def stop(self) -> None:
        """Ends the thread, when there is nothing to watch."""
        self._is_over = True
        self._alarm.put(None)
        with self._ended:
            self._is_started = False
        self._alarm = queue.SimpleQueue()
        self.rests = True

    def nudge(self) -> None:
        """Says that there is work again, to a watcher that rests."""
        if self._is_started:
            self.rests = False
            self._alarm.put(None)
        elif not self.stays_away:
            self.start()

    def ends_within(self, code: int, seconds: float) -> bool:
        """Ends the process then, unless it has ended by itself; False when there is no thread to do so."""
        if self._is_started:
            self._last = code, time.monotonic() + seconds
            self._alarm.put(None)
        return self._is_started

    def _loop(self) -> None:
        own = get_ident()
        stacks.of_the_sdk.add(own)
        try:
            self._watch()
        except MemoryError:
            self._session.departure.now(EXIT_OUT_OF_MEMORY)
        except Exception:
            # Without its watcher a worker would answer no cancel: better none than such a one.
            traceback.print_exc()
            self._session.departure.now(EXIT_SDK_BUG)
        finally:
            stacks.of_the_sdk.discard(own)
            self._ended.release()

    def _watch(self) -> None:
        seen: Optional[Any] = None
        quiet_ticks = 0
        while not self._is_over:
            if self._last is not None:
                self._end_at(*self._last)
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
                self._attend()

    def _end_at(self, code: int, moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))
        self._session.departure.now(code)

    def _sleep(self) -> None:
        self.rests = True
        if self._session.busy is None:
            self._alarm.get()
        self.rests = False

    def _attend(self) -> None:
        """Waits one tick for the wire, and looks at the clock."""
        session = self._session
        if self._is_lost:
            time.sleep(TICK_SECONDS)
        elif session.connection.readable(TICK_SECONDS):
            self._read_if_free()
        if session.connection.ended and not self._is_lost:
            self._lose()
        interrupt.check_load()
        execution, port = session.busy, session.port
        if port is not None:
            port.flush(LOG_BATCH_MAX_AGE_SECONDS)
        if isinstance(execution, Execution):
            execution.check_deadline(time.monotonic(), _DEADLINE_SLACK_SECONDS)
            if execution.due():
                interrupt.wake()

    def _read_if_free(self) -> None:
        reading = self._session.connection.reading
        if not reading.acquire(blocking=False):
            # Somebody who waits for an answer is at the wire, and is about to read.
            time.sleep(0.001)
            return
        try:
            if self._session.busy is not None and self._session.connection.readable(0):
                self._session.read()
        finally:
            reading.release()

    def _lose(self) -> None:
        """The supervisor is gone: end the run if it lets itself be ended, and leave in any case."""
        self._is_lost = True
        self._session.departure.later(EXIT_DONE, _LEAVE_SECONDS)
        execution = self._session.busy
        if isinstance(execution, Execution):
            execution.request_cancel(CancelReason.Shutdown.name, "the supervisor is gone")
