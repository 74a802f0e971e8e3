"""The way out of an execution that runs under a supervisor: log records, progress and calls as frames."""

from __future__ import annotations

import threading
from typing import Callable, List, Optional, Tuple

from .calls import Calls
from .handshake import Terms
from .late import LateLog
from .logs import LogBatch
from .port import Answer
from .wire.connection import Connection
from .wire.messages import ErrorInfo, LogRecord


_making = threading.Lock()


class FramePort:
    """Uses no feature that was not agreed on."""

    calls: Optional[Calls] = None
    _late: Optional[LateLog] = None

    def __init__(self, connection: Connection, terms: Terms, run: int) -> None:
        self.logs = LogBatch(run, connection.send)
        self.open_calls: Optional[Callable[[], Calls]] = None
        """Makes `calls` when the first is asked; None once the run has ended."""
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
        waiting = self._calls()
        if waiting is None:
            return [(None, ErrorInfo("Closed", "the execution has ended")) for _ in calls]
        if "call" not in self._terms.features:
            error = ErrorInfo("NotSupported", "this supervisor answers no calls")
            return [(None, error) for _ in calls]
        self.logs.flush()
        return waiting.ask_all(calls)

    def _calls(self) -> Optional[Calls]:
        with _making:
            if self.calls is None and self.open_calls is not None:
                self.calls = self.open_calls()
            return self.calls

    def late_log(self) -> LateLog:
        """The log for what comes after the end of the run."""
        with _making:
            if self._late is None:
                self._late = LateLog(self.logs.run, self.logs.send)
            return self._late
