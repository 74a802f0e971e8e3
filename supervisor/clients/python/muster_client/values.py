"""JSON as it travels: what Python's types become, and back. An int keeps every digit, both ways.

`datetime`, `date` and `time` become ISO 8601, `timedelta` seconds, `UUID`, `Decimal` and `Path` strings, `Enum` its value,
dataclasses and pydantic models (by alias) objects, tuples and sets arrays: what a workflow's annotations turn back.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import math
import pathlib
import uuid
from typing import Any

from .errors import InvalidRequest


_DEPTH_MAX = 100


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
        problem = f"the parameters cannot be written as JSON: {_unfit(value, '', ()) or error}"
        raise InvalidRequest(f"{problem}; convert them before they are submitted", [problem]) from error


def _unfit(value: Any, path: str, above: tuple[Any, ...]) -> str:
    """Where a value is none that JSON has, in words; empty when there is no such place, or it lies too deep to be told."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{path} is {value}, and JSON has no such number"
    if value is None or isinstance(value, (str, int, float)) or len(above) > _DEPTH_MAX:
        return ""
    if any(one is value for one in above):
        return f"{path} contains itself"
    if isinstance(value, dict):
        below = [(inner, f"{path}.{key}" if path else str(key)) for key, inner in value.items()]
    elif isinstance(value, (list, tuple)):
        below = [(inner, f"{path}[{at}]") for at, inner in enumerate(value)]
    else:
        try:
            below = [(plain(value), path)]
        except TypeError as error:
            hint = "; put await before the call that gave it" if inspect.isawaitable(value) else ""
            return f"{path}: {error}{hint}"
    return next((found for inner, place in below if (found := _unfit(inner, place, (*above, value)))), "")


def from_json(text: bytes) -> Any:
    """The value of JSON text; integers with all their digits."""
    return json.loads(text)
