"""JSON as it travels: what Python's types become, and back. An int keeps every digit, both ways.

`datetime`, `date` and `time` become ISO 8601, `timedelta` seconds, `UUID`, `Decimal` and `Path` strings, `Enum` its value,
dataclasses and pydantic models (by alias) objects, tuples and sets arrays: what a workflow's annotations turn back.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any

from .errors import InvalidRequest


def plain(value: Any) -> Any:
    """A value that JSON does not know, in terms of values it knows."""
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
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"a value of type {type(value).__module__}.{type(value).__qualname__} is no JSON")


def to_json(value: Any) -> bytes:
    """The JSON text of a value, or `InvalidRequest`."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain)
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"the parameters cannot be written as JSON: {error}"
        raise InvalidRequest(f"{problem}; convert them before they are submitted", [problem]) from error


def from_json(text: bytes) -> Any:
    """The value of JSON text; integers with all their digits."""
    return json.loads(text)
