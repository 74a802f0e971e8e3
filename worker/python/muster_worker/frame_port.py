"""The way out of an execution that runs under a supervisor: log records, progress and calls as frames."""

from __future__ import annotations

import threading
from typing import Any, Callable, List, Optional, Tuple

from .calls import Calls
from .execution import Execution
from .handshake import Terms
from .late import LateLog
from .logs import LogBatch
from .port import Answer
from .wire.connection import Connection
from .wire.messages import ErrorInfo, LogRecord


_making = threading.Lock()
_NOTHING: List[Any] = []


class FramePort:
    """Uses no feature that was not agreed on. What many runs never use is made when it is used first."""

    calls: Optional[Calls] = None
    execution: Optional[Execution] = None
    """The execution while it runs: it may ask calls."""
    _late: Optional[LateLog] = None

    def __init__(self, connection: Connection, terms: Terms, run: int, read_once: Callable[[], None]) -> None:
        self._connection = connection
        self._terms = terms
        self._run = run
        self._read_once = read_once
        self._logs: Optional[LogBatch] = None

    def close(self) -> None:
        """The run has ended. Calls know their execution, which knows its port: cut here, or it is the garbage collector's."""
        self.calls = self.execution = None

    def log(self, record: LogRecord) -> None:
        """Batches the record, if the supervisor wants it."""
        if record.level >= self._terms.log_level and "log" in self._terms.features:
            self._batch().add(record)

    def progress(self, current: int, total: int, message: str) -> None:
        """Keeps the latest for the next batch."""
        if "progress" in self._terms.features:
            self._batch().set_progress(current, total, message)

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """Asks the supervisor."""
        waiting = self._calls()
        if waiting is None:
            return [(None, ErrorInfo("Closed", "the execution has ended")) for _ in calls]
        if "call" not in self._terms.features:
            error = ErrorInfo("NotSupported", "this supervisor answers no calls")
            return [(None, error) for _ in calls]
        self.flush()
        return waiting.ask_all(calls)

    def _calls(self) -> Optional[Calls]:
        with _making:
            if self.calls is None and self.execution is not None:
                self.calls = Calls(self.execution, self._connection, self._read_once)
            return self.calls

    def flush(self, older_than_seconds: float = 0.0) -> None:
        """Sends the records that have waited that long."""
        if self._logs is not None:
            self._logs.flush(older_than_seconds)

    def take(self) -> Tuple[List[Any], int]:
        """The messages that are still to be sent, and how many records the run has had."""
        if self._logs is None:
            return _NOTHING, 0
        return self._logs.take(), self._logs.sent

    def _batch(self) -> LogBatch:
        with _making:
            if self._logs is None:
                self._logs = LogBatch(self._run, self._connection.send)
            return self._logs

    def late_log(self) -> LateLog:
        """The log for what comes after the end of the run."""
        with _making:
            if self._late is None:
                self._late = LateLog(self._run, self._connection.send)
            return self._late
