"""JSON values side by side: are they the same, and where do they part?"""

from __future__ import annotations

import json
import re
from typing import Any, Optional

_PLAIN_KEY = re.compile(r"\w+")


def parsed(text: bytes) -> Any:
    """The value of a JSON field of a message; empty means none."""
    return json.loads(text) if text else None


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: the order of keys is free, 1 is 1.0, and true is not 1."""
    return parting(one, other) is None


def parting(one: Any, other: Any) -> Optional[str]:
    """The path to the first place where they differ ("" for the values themselves), None when they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in one or key not in other:
                return _member(key)
            path = parting(one[key], other[key])
            if path is not None:
                return _member(key) + path
        return None
    if isinstance(one, list) and isinstance(other, list):
        for at, (left, right) in enumerate(zip(one, other)):
            path = parting(left, right)
            if path is not None:
                return f"[{at}]{path}"
        return None if len(one) == len(other) else f"[{min(len(one), len(other))}]"
    # In Python True == 1.
    equal = isinstance(one, bool) == isinstance(other, bool) and one == other
    return None if equal else ""


def _member(key: str) -> str:
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{key!r}]"
