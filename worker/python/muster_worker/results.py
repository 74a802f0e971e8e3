"""What a workflow returns, as JSON text.

Beyond JSON's own types: datetime, date and time become ISO 8601; timedelta seconds; UUID, Decimal and
Path strings; Enum its value; a dataclass or a pydantic model an object; tuples, sets and other iterables
of that kind arrays. Everything else, NaN and infinities included, is `InvalidResult` that names the place, and so
is what no store keeps: see `values`.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any, Callable, Iterable, Tuple

from .errors import InvalidResult
from .values import find_unfit, may_be_unfit
from .wire.messages import ErrorInfo, Failed


def plain(value: Any) -> Any:
    """A value that JSON does not know, in terms of values it knows; for `json.dumps`."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)) and type(value).__name__ != "NaTType":
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (uuid.UUID, decimal.Decimal, pathlib.PurePath)):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if not isinstance(value, type):
        # By the names that the parameters of the next workflow need, too.
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json", by_alias=True)
        if hasattr(value, "__fields__") and hasattr(value, "parse_obj"):
            return json.loads(value.json(by_alias=True))
    # Pandas' missing moment is a datetime that is none, and lands here too.
    raise TypeError(f"a value of type {type(value).__name__} is not JSON")


def _make_encoder() -> Callable[[Any, int], Iterable[str]]:
    """`JSONEncoder.encode` makes this for each call; and user code may replace what it makes it of."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: (encoder.encode(value),)
    # Without a memory of what it is in: a value that holds itself ends in RecursionError, and is looked at then.
    made: Callable[[Any, int], Iterable[str]] = make(
        None, plain, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )
    return made


_chunks, _join = _make_encoder(), "".join


def to_json(value: Any) -> bytes:
    """The JSON text of a result, or `InvalidResult` with the place that cannot be kept."""
    try:
        text = _join(_chunks(value, 0)).encode()
        if not may_be_unfit(text):
            return text
    except (TypeError, ValueError, RecursionError):
        # Written once more, for the words.
        pass
    text, problem = encode(value, "result")
    if problem:
        raise InvalidResult(f"the result is refused: {problem}")
    return text


def encode(value: Any, root: str) -> Tuple[bytes, str]:
    """The JSON text of a value, or why it has none that can be kept, beginning with its place below `root`."""
    try:
        text = _join(_chunks(value, 0)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return b"", find_unfit(value, root, plain) or f"{root or 'the value'} cannot be written as JSON ({error})"
    if may_be_unfit(text):
        problem = find_unfit(value, root, plain)
        return (b"", problem) if problem else (text, "")
    return text, ""


def too_large(size_bytes: int, limit_bytes: int) -> Failed:
    """The outcome in place of one that does not fit in a frame."""
    return Failed(
        ErrorInfo(
            kind="ResultTooLarge",
            message=f"the outcome takes {size_bytes:,} bytes and a frame holds {limit_bytes:,}; "
            "store the data and return a reference",
            retryable=False,
        )
    )
