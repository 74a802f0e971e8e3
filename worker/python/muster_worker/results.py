"""What a workflow returns, as JSON text.

Beyond JSON's own types: datetime, date and time become ISO 8601; timedelta seconds; UUID, Decimal and
Path strings; Enum its value; a dataclass or a pydantic model an object; tuples, sets and other iterables
of that kind arrays. Everything else, NaN and infinities included, is `InvalidResult` that names the place.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any, Set

from .errors import InvalidResult
from .wire.messages import ErrorInfo, Failed


def plain(value: Any) -> Any:
    """A value that JSON does not know, in terms of values it knows; for `json.dumps`."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
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
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    raise TypeError(f"a value of type {type(value).__name__} is not JSON")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain)


def to_json(value: Any, what: str = "the result") -> bytes:
    """The JSON text of a value, or `InvalidResult`."""
    try:
        return _encoder.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        problem = "it holds text that is not valid Unicode (a lone surrogate)"
    except (TypeError, ValueError, RecursionError) as error:
        problem = _locate(value, what.split()[-1], set()) or str(error)
    raise InvalidResult(f"{what} is not JSON: {problem}")


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


def _locate(value: Any, where: str, above: Set[int]) -> str:
    """The first place that is not JSON, in words."""
    if id(value) in above:
        return f"{where} contains itself"
    if len(above) > 900:
        return f"{where} is nested too deeply"
    if value is None or isinstance(value, (bool, int, str)):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{where} is {value!r}; JSON has no such number, return None instead"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{where} is bytes; decode them, or return base64.b64encode(...).decode()"
    above = above | {id(value)}
    if isinstance(value, dict):
        for key, one in value.items():
            if not (key is None or isinstance(key, (str, int, float, bool))):
                return f"a key of {where} is {type(key).__name__} ({key!r}); JSON keys are strings"
            problem = _locate(one, f"{where}[{key!r}]", above)
            if problem:
                return problem
        return ""
    if isinstance(value, (list, tuple)):
        return next(filter(None, (_locate(one, f"{where}[{at}]", above) for at, one in enumerate(value))), "")
    try:
        return _locate(plain(value), where, above)
    except TypeError:
        return f"{where} is of type {type(value).__module__}.{type(value).__qualname__}"
