"""What an execution's threads still log and print after its end: records of that run, and of no other."""

from __future__ import annotations

import threading
from typing import Callable, Dict

from .logs import make_record
from .wire.messages import Level, Log, LogRecord

_RECORDS_MAX = 100
_LINE_MAX_CHARACTERS = 64 * 1024


class LateLog:
    """Sends records as they come, under the number of the run that has ended. Bounded: nobody waits for them."""

    def __init__(self, run: int, send: Callable[..., None]) -> None:
        self._run = run
        self._send = send
        self._lock = threading.Lock()
        self._taken = 0
        self._parts: Dict[str, str] = {}

    def add(self, record: LogRecord) -> None:
        """Takes a record, unless there were too many."""
        with self._lock:
            self._taken += 1
            if self._taken > _RECORDS_MAX:
                return
            if self._taken == _RECORDS_MAX:
                record = make_record(Level.Warn, "muster", "the run goes on logging after its end; no more is kept", {})
            self._send(Log(self._run, [record]))

    def printed(self, stream: str, text: str) -> None:
        """Takes what was written on a standard stream, a record a line."""
        with self._lock:
            *lines, rest = (self._parts.get(stream, "") + text).split("\n")
            if len(rest) > _LINE_MAX_CHARACTERS:
                lines.append(rest)
                rest = ""
            self._parts[stream] = rest
        for line in lines:
            self.add(make_record(Level.Info, stream, line, {}))
