"""The way out of an execution that runs under a supervisor: log records, progress and calls as frames."""

from __future__ import annotations

from typing import List, Optional, Tuple

from .calls import Calls
from .handshake import Terms
from .logs import LogBatch
from .port import Answer
from .wire.connection import Connection
from .wire.messages import ErrorInfo, LogRecord


class FramePort:
    """Uses no feature that was not agreed on."""

    def __init__(self, connection: Connection, terms: Terms, run: int) -> None:
        self.logs = LogBatch(run, connection.send)
        self.calls: Optional[Calls] = None
        self._terms = terms

    def log(self, record: LogRecord) -> None:
        """Batches the record, if the supervisor wants it."""
        if record.level >= self._terms.log_level and "log" in self._terms.features:
            self.logs.add(record)

    def progress(self, current: int, total: int, message: str) -> None:
        """Keeps the latest for the next batch."""
        if "progress" in self._terms.features:
            self.logs.set_progress(current, total, message)

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """Asks the supervisor."""
        if "call" not in self._terms.features or self.calls is None:
            error = ErrorInfo("NotSupported", "this supervisor answers no calls")
            return [(None, error) for _ in calls]
        self.logs.flush()
        return self.calls.ask_all(calls)
