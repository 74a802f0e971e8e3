"""What a run says, as lines on stderr for a person."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any

from ..wire.messages import ErrorInfo, Level, LogRecord

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOURS = {Level.Trace: "2", Level.Debug: "2", Level.Info: "32", Level.Warn: "33", Level.Error: "31"}


class Terminal:
    """Shows log records, progress and errors."""

    def __init__(self) -> None:
        self._colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    def log(self, record: LogRecord) -> None:
        """One line: time, level, logger, message, fields."""
        at = time.strftime("%H:%M:%S", time.localtime(record.timestamp_us / 1e6))
        level = f"{record.level.name.upper():5}"
        if self._colour:
            level = f"\x1b[{_COLOURS[record.level]}m{level}\x1b[0m"
        fields = json.loads(record.fields) if record.fields else {}
        extra = "".join(f" {key}={as_json(value)}" for key, value in fields.items())
        self._write(f"{at} {level} {spelled_out(f'{record.logger}: {record.message}{extra}')}")

    def progress(self, current: int, total: int, message: str) -> None:
        """One line."""
        share = f"{current}/{total} ({100 * current // total} %)" if total else str(current)
        self.say(f"progress {share} {message}".rstrip())

    def error(self, error: ErrorInfo) -> None:
        """The stack, then kind and message."""
        if error.stack:
            self.say(error.stack.rstrip())
        self.say(f"failed: {error.kind}: {error.message}")

    def say(self, line: str) -> None:
        """A line that may hold text of somebody else's run."""
        self._write(spelled_out(line))

    def _write(self, line: str) -> None:
        """In one write, so that lines of several threads do not mix."""
        sys.stderr.write(line + "\n")


def spelled_out(text: str) -> str:
    """Text without power over a terminal: control characters are spelled out, all but line ends and tabs."""
    return _OBEYED.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def as_json(value: Any) -> str:
    """A value as a person reads it."""
    return json.dumps(value, ensure_ascii=False)
