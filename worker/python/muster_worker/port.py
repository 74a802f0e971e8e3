"""What an execution can say to the outside. One port speaks frames, one writes to the terminal."""

from __future__ import annotations

import sys
from typing import Any, List, Optional, Protocol, Tuple

from .errors import CallError
from .wire.messages import ErrorInfo, LogRecord

Answer = Tuple[Optional[bytes], Optional[ErrorInfo]]
"""The JSON value of a call, or its error."""


class Port(Protocol):
    """The way out of an execution."""

    def log(self, record: LogRecord) -> None:
        """Takes one log record."""

    def progress(self, current: int, total: int, message: str) -> None:
        """Tells how far the execution is; the latest wins."""

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """Asks all the questions (method, params as JSON) and waits for every answer."""


class ChildPort:
    """The port of a forked child: it has no frames, so logs become lines on stderr."""

    def log(self, record: LogRecord) -> None:
        """One line; the supervisor reads it as the execution's stderr."""
        print(f"[{record.level.name.lower()}] {record.message}", file=sys.stderr)

    def progress(self, current: int, total: int, message: str) -> None:
        """Progress is the parent's business."""

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Any]:
        """There is nobody to ask."""
        raise CallError("ChildProcess", "config, state and submit work only in the worker process itself")
