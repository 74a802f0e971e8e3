"""The log of an execution as it grows: server-sent events, picked up again where a connection broke."""

from __future__ import annotations

from typing import Iterable

from .records import LogLine, read
from .values import from_json


class Follower:
    """Reads events line by line. A line of the log is given once, however often the connection breaks."""

    def __init__(self) -> None:
        self.last: str | None = None
        """The id of the last line that was given, to go on after it."""
        self.is_over = False
        self._begin()

    def _begin(self) -> None:
        self._event = ""
        self._id: str | None = None
        self._data: list[str] = []

    def restart(self) -> None:
        """Another connection: an event that was cut off is dropped, and comes again."""
        self._begin()

    def feed(self, line: str) -> LogLine | None:
        """Takes a line of the stream without its end; a line of the log when that is complete with it."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._event = value
            elif name == "id":
                self._id = value
            elif name == "data":
                self._data.append(value)
            return None
        event, identifier, data = self._event, self._id, "\n".join(self._data)
        self._begin()
        if event == "end":
            self.is_over = True
        if event != "log" or not data:
            # Gaps, progress and changes of the status are for screens.
            return None
        self.last = identifier or self.last
        return read(LogLine, from_json(data.encode("utf-8")))

    def query(self) -> dict[str, str]:
        """The query of the next connection."""
        return {"follow": "true"} if self.last is None else {"follow": "true", "cursor": self.last}


def lines_of(page: object) -> tuple[Iterable[LogLine], str | None]:
    """The lines of a page, and where the next one begins."""
    told = page if isinstance(page, dict) else {}
    cursor = told.get("next_cursor")
    return (read(LogLine, one) for one in told.get("logs", [])), cursor if isinstance(cursor, str) else None


class LineSplitter:
    """Cuts a stream into lines at line feeds alone: Python knows other line ends, and these stand inside of values."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that are complete with this."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [one.removesuffix(b"\r").decode("utf-8", "replace") for one in whole]
