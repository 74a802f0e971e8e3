"""Questions to the supervisor and their answers.

Whoever waits for an answer reads the wire itself when nobody else does, so an answer costs no thread
switch; the others are woken by whoever reads.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, List, Tuple

from . import interrupt
from .errors import CallError
from .execution import Execution
from .port import Answer
from .wire.connection import Connection
from .wire.limits import CALLS_IN_FLIGHT_MAX
from .wire.messages import Call, ErrorInfo, Ok, Reply

_SLICE_SECONDS = 0.02


class _Waiter:
    __slots__ = ("answer", "woken")

    def __init__(self) -> None:
        self.answer: Any = None
        self.woken = threading.Event()


class Calls:
    """The calls of one run that wait for their Reply."""

    def __init__(self, execution: Execution, connection: Connection, read_once: Callable[[], None]) -> None:
        self._execution = execution
        self._connection = connection
        self._read_once = read_once
        self._lock = threading.Lock()
        self._waiting: Dict[int, _Waiter] = {}
        self._next = 0

    def ask_all(self, questions: List[Tuple[str, bytes]]) -> List[Answer]:
        """Asks everything, at most 64 at a time in the air, and waits for every answer."""
        answers: List[Answer] = []
        for at in range(0, len(questions), CALLS_IN_FLIGHT_MAX):
            answers.extend(self._ask_some(questions[at : at + CALLS_IN_FLIGHT_MAX]))
        return answers

    def _ask_some(self, questions: List[Tuple[str, bytes]]) -> List[Answer]:
        interrupt.hold()
        try:
            taken: List[Tuple[int, _Waiter]] = []
            try:
                for method, params in questions:
                    taken.append(self._register())
                    self._send(taken[-1][0], method, params)
                return [self._wait(waiter) for _, waiter in taken]
            finally:
                for call, _ in taken:
                    self._waiting.pop(call, None)
        finally:
            interrupt.release()

    def _register(self) -> Tuple[int, _Waiter]:
        """A number for a call, once fewer than 64 are in the air."""
        waiter = _Waiter()
        while True:
            with self._lock:
                if len(self._waiting) < CALLS_IN_FLIGHT_MAX:
                    self._next += 1
                    self._waiting[self._next] = waiter
                    return self._next, waiter
            # The threads that wait may need this one at the wire to get their answers.
            self._check()
            if not self._read(lambda: False):
                time.sleep(_SLICE_SECONDS / 4)

    def _send(self, call: int, method: str, params: bytes) -> None:
        encoded = self._connection.encode(Call(self._execution.run, call, method, params))
        if not self._connection.fits(encoded):
            raise CallError("RequestTooLarge", f"{method}: {len(encoded)} bytes do not fit in a frame")
        self._connection.write(encoded)

    def _wait(self, waiter: _Waiter) -> Answer:
        while waiter.answer is None:
            self._check()
            if not self._read(lambda: waiter.answer is not None):
                waiter.woken.wait(_SLICE_SECONDS)
                waiter.woken.clear()
        if isinstance(waiter.answer, Ok):
            return waiter.answer.value, None
        error: ErrorInfo = waiter.answer.error
        return None, error

    def _check(self) -> None:
        """A wait ends early when the execution is cancelled, has ended, or nobody is left to answer."""
        if threading.current_thread() is threading.main_thread() and self._execution.due():
            raise self._execution.take_cancel()
        if self._execution.closed:
            raise CallError("Closed", "the execution has ended")
        if self._connection.ended:
            raise CallError("SupervisorGone", "the supervisor closed the connection")

    def _read(self, done: Callable[[], bool]) -> bool:
        """Reads the wire for one slice of time, if nobody else does."""
        if not self._connection.reading.acquire(blocking=False):
            return False
        try:
            if not done() and self._connection.readable(_SLICE_SECONDS):
                self._read_once()
        finally:
            self._connection.reading.release()
        # Another caller may be asleep, with nobody at the wire any more.
        for waiter in list(self._waiting.values()):
            waiter.woken.set()
        return True

    def resolve(self, reply: Reply) -> None:
        """Hands a Reply to its caller; one nobody waits for is dropped."""
        waiter = self._waiting.get(reply.call)
        if waiter is not None:
            waiter.answer = reply.result
            waiter.woken.set()
