"""The fields of a log record as JSON. What JSON does not have is shown as text, and costs no other field."""

from __future__ import annotations

import json
import math
from typing import Any, Dict, Mapping, Tuple

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
        text = _encoder.encode(_tame_items(fields, ()))
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
        return _tame_items(value, above)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_tame(inner, above) for inner in value]
    return _tame(plain(value), above)


def _tame_items(items: Mapping[Any, Any], above: Tuple[int, ...]) -> Dict[str, Any]:
    tamed: Dict[str, Any] = {}
    for key, value in items.items():
        name = _key(key)
        # Keys of two types may be the same text.
        while name in tamed:
            name += f" ({type(key).__name__})"
        tamed[name] = _tame(value, above)
    return tamed


def _key(key: Any) -> str:
    return clean(key) if isinstance(key, str) else _shown(key)


def _shown(value: Any) -> str:
    try:
        return clean(repr(value))
    except Exception as error:
        return clean(f"<{type(value).__name__}, repr raised {shown(type(error).__name__)}>")
