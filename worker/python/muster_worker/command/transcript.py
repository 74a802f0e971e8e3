"""Transcripts as files: lines of JSON, a head and what passed. See the chapter in protocol/SPEC.md.

Keys, messages and lines of later versions are passed over; a line that is broken is an error.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional

from ..wire import json_lines
from ..wire.layout import DecodeError
from ..wire.messages import TO_SUPERVISOR, TO_WORKER

VERSION = 1
_DIRECTIONS = {"to_worker": TO_WORKER, "to_supervisor": TO_SUPERVISOR}
_SAVE = "save one with `supervisor transcript ID --out FILE`"


class TranscriptError(Exception):
    """The file is no transcript this version can read; the message says what to do."""


class Head(NamedTuple):
    """When it was recorded, and with what. Which run it was stands in its Execute too."""

    recorded_at: str
    implementation: str
    implementation_version: str
    language: str


class Dropped(NamedTuple):
    """So many frames were not kept here."""

    frames: int


class Ended(NamedTuple):
    """The supervisor's word on how the attempt ended."""

    status: str
    error_type: Optional[str]
    error_message: Optional[str]

    def __str__(self) -> str:
        kind = f" {self.error_type}" if self.error_type else ""
        return f"{self.status}{kind}" + (f": {self.error_message}" if self.error_message else "")


class Entry(NamedTuple):
    """Something that passed: a message of either side, `Dropped` or `Ended`."""

    at_us: int
    what: Any


class Transcript(NamedTuple):
    """A whole file."""

    head: Head
    entries: List[Entry]


def read(path: str) -> Transcript:
    """The transcript in a file."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise TranscriptError(f"it is not UTF-8 text ({error}); {_SAVE}") from None
    return parse(text)


def parse(text: str) -> Transcript:
    """The transcript in a text."""
    # Only a line feed ends a line: `splitlines` would also cut at the line separators of Unicode.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise TranscriptError(f"it is empty; {_SAVE}")
    head = _head(lines[0][1])
    entries = []
    for number, line in lines[1:]:
        try:
            entry = _entry(_object(line))
        except (ValueError, RecursionError) as error:
            raise TranscriptError(f"line {number} cannot be read: {error}") from None
        if entry is not None:
            entries.append(entry)
    return Transcript(head, entries)


def _head(line: str) -> Head:
    try:
        given = _object(line)
        version = _number(given, "transcript")
    except (ValueError, RecursionError) as error:
        raise TranscriptError(f"line 1 is not the head of a transcript ({error}); {_SAVE}") from None
    if version != VERSION:
        raise TranscriptError(f"it has version {version}, and this worker reads version {VERSION}: use a newer one")
    return Head(*(str(given.get(name) or "") for name in Head._fields))


def _entry(given: Dict[str, Any]) -> Optional[Entry]:
    """None for a line of a later version, and for a message of one."""
    what: Any = None
    for direction, variants in _DIRECTIONS.items():
        if given.get(direction) is not None:
            what = json_lines.from_value(variants, given[direction])
            return None if what is None else Entry(_number(given, "at_us"), what)
    if given.get("dropped") is not None:
        what = Dropped(_number(given, "dropped"))
    elif isinstance(given.get("ended"), dict):
        ended = given["ended"]
        what = Ended(str(ended.get("status")), ended.get("error_type"), ended.get("error_message"))
    return None if what is None else Entry(_number(given, "at_us"), what)


def _object(line: str) -> Dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise DecodeError("it is not a JSON object")
    return value


def _number(given: Dict[str, Any], name: str) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DecodeError(f"{name!r} is not a number" if name in given else f"{name!r} is missing")
    return value
