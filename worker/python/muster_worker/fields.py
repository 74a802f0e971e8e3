"""The fields of a log record as JSON. What JSON does not have is shown as text, and costs no other field."""

from __future__ import annotations

import json
import math
from typing import Any, Mapping, Tuple

from .results import plain
from .values import clean, may_be_unfit, shown

_FIELDS_MAX_BYTES = 64 * 1024
_DEPTH_MAX = 20
_INTEGER_MAX_BITS = 1024

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=plain)


def fields_text(fields: Mapping[str, Any]) -> bytes:
    """JSON text of an object; empty when there are no fields."""
    if not fields:
        return b""
    try:
        text = _encoder.encode(fields)
        is_plain = not may_be_unfit(text.encode("utf-8"))
    except Exception:
        is_plain = False
    if not is_plain:
        text = _encoder.encode({_key(key): _tame(value, ()) for key, value in fields.items()})
    encoded = text.encode("utf-8")
    if len(encoded) > _FIELDS_MAX_BYTES:
        return json.dumps({"cut": f"the fields were {len(encoded)} bytes"}).encode("utf-8")
    return encoded


def _tame(value: Any, above: Tuple[int, ...]) -> Any:
    """A value in terms of JSON, whatever its methods do."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _INTEGER_MAX_BITS else _shown(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if id(value) in above:
        return "[seen above]"
    if len(above) >= _DEPTH_MAX:
        return "[deeper values]"
    try:
        return _tame_compound(value, (*above, id(value)))
    except Exception:
        return _shown(value)


def _tame_compound(value: Any, above: Tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _tame(inner, above) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_tame(inner, above) for inner in value]
    return _tame(plain(value), above)


def _key(key: Any) -> str:
    return clean(key) if isinstance(key, str) else _shown(key)


def _shown(value: Any) -> str:
    try:
        return clean(repr(value))
    except Exception as error:
        return clean(f"<{type(value).__name__}, repr raised {shown(type(error).__name__)}>")
