"""Log records on their way out: batched, bounded, in order; and `logging` tied to them."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Mapping, Optional

from . import interrupt
from .current import current_or_none
from .fields import fields_text
from .values import cut, shown
from .wire.limits import (
    IDENTIFIER_MAX_BYTES,
    LOG_BATCH_MAX_BYTES,
    LOG_BATCH_MAX_RECORDS,
    LOG_MESSAGE_MAX_BYTES,
    PROGRESS_MAX,
    PROGRESS_MESSAGE_MAX_BYTES,
)
from .wire.messages import Level, Log, LogRecord, Progress

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {Level.Trace: 5, Level.Debug: 10, Level.Info: 20, Level.Warn: 30, Level.Error: 40}


class LogBatch:
    """The records and the progress of one run that were not sent yet."""

    sent = 0
    _bytes = 0
    _progress: Optional[Progress] = None
    _since = 0.0

    def __init__(self, run: int, send: Callable[..., None]) -> None:
        self.run = run
        self.send = send
        self._lock = threading.Lock()
        self._records: List[LogRecord] = []

    def add(self, record: LogRecord) -> None:
        """Takes a record; sends the batch when it is full."""
        with self._lock:
            if not self._records and self._progress is None:
                self._since = time.monotonic()
            self._records.append(record)
            self._bytes += len(record.message) + len(record.fields) + 64
            if self._bytes >= LOG_BATCH_MAX_BYTES or len(self._records) >= LOG_BATCH_MAX_RECORDS:
                self.send(*self._take())

    def set_progress(self, current: int, total: int, message: str) -> None:
        """The latest progress replaces one that was not sent yet."""
        with self._lock:
            if not self._records and self._progress is None:
                self._since = time.monotonic()
            self._progress = Progress(self.run, current, total, message)

    def flush(self, older_than_seconds: float = 0.0) -> None:
        """Sends what has waited that long."""
        if not self._records and self._progress is None:
            return
        with self._lock:
            if time.monotonic() - self._since >= older_than_seconds:
                self.send(*self._take())

    def take(self) -> List[Any]:
        """The messages that are still to be sent, for one write together with what follows."""
        if not self._records and self._progress is None:
            return []
        with self._lock:
            return self._take()

    def _take(self) -> List[Any]:
        messages: List[Any] = []
        if self._records:
            messages.append(Log(self.run, self._records))
            self.sent += len(self._records)
            self._records, self._bytes = [], 0
        if self._progress is not None:
            messages.append(self._progress)
            self._progress = None
        return messages


def make_record(
    level: Level, logger: str, message: str, fields: Mapping[str, Any], at: Optional[float] = None
) -> LogRecord:
    """A record within the limits of the wire."""
    timestamp = time.time() if at is None else at
    name = cut(logger, IDENTIFIER_MAX_BYTES)
    return LogRecord(int(timestamp * 1_000_000), level, name, cut(message, LOG_MESSAGE_MAX_BYTES), fields_text(fields))


def progress_count(value: Any) -> int:
    """A count of a progress: whole, not below nothing, not above what every language holds."""
    try:
        if isinstance(value, float) and math.isnan(value):
            return 0
        return max(0, int(min(value, PROGRESS_MAX)))
    except Exception:
        return 0


def progress_message(message: Any) -> str:
    """A message of a progress, within the limits of the wire."""
    return cut(shown(message), PROGRESS_MESSAGE_MAX_BYTES)


class LoggingHandler(logging.Handler):
    """Hands the records of `logging` to the execution they were written in."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: a cancel raised while it is held would leave it held."""
        if self.filter(record):
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record; outside of any execution it becomes a line on stderr."""
        interrupt.hold()
        try:
            execution = current_or_none()
            message = _text(record)
            if execution is None:
                print(f"{record.levelname.lower()} {record.name}: {message}", file=sys.stderr)
            else:
                extras = _extras(record)
                execution.log(make_record(_level(record.levelno), shown(record.name), message, extras, record.created))
        finally:
            interrupt.release()


def _text(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except Exception as error:
        message = f"{shown(record.msg)} cannot be formatted with its arguments: {shown(error)}"
    if record.exc_info and record.exc_info[0] is not None:
        message += "\n" + _traceback(record.exc_info)
    if record.stack_info:
        message += "\n" + shown(record.stack_info)
    return message


def _traceback(exc_info: Any) -> str:
    try:
        return "".join(traceback.format_exception(*exc_info)).rstrip()
    except Exception as error:
        return f"(its traceback cannot be shown: {type(error).__name__})"


def _extras(record: logging.LogRecord) -> Dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _level(number: int) -> Level:
    for level in (Level.Error, Level.Warn, Level.Info, Level.Debug):
        if number >= _LEVELS[level]:
            return level
    return Level.Trace


handler = LoggingHandler()
"""The one that the root logger is given."""


def capture_logging(least: Level) -> None:
    """Makes `logging` write into executions. A later `basicConfig` changes nothing, as the root has a handler."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(_LEVELS[least])
    # At debug level asyncio tells with each loop which selector it found, which is each time the same.
    logging.getLogger("asyncio").setLevel(max(_LEVELS[least], logging.INFO))
    logging.captureWarnings(True)
