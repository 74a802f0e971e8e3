"""JSON values beside recorded ones: are they the same, and where do they part?

The texts of a recording hold masks in the place of secrets. A mask stands for any text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Dict, List, Optional

from .masks import MASK

_PLAIN_KEY = re.compile(r"\w+")


def parsed(text: bytes) -> Any:
    """The value of a JSON field of a message; empty means none."""
    return json.loads(text) if text else None


def same(then: Any, now: Any) -> bool:
    """Equal as JSON, but for what the recording masks: the order of keys is free, and 1 is neither 1.0 nor true."""
    return parting(then, now) is None


def same_text(then: str, now: str) -> bool:
    """Equal, where each mask stands for any text."""
    first, *rest = then.split(MASK)
    if not rest:
        return then == now
    if not now.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = now.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return now.endswith(rest[-1]) and at + len(rest[-1]) <= len(now)


def parting(then: Any, now: Any) -> Optional[str]:
    """The path to the first place where they differ ("" for the values themselves), None when they do not."""
    if isinstance(then, dict) and isinstance(now, dict):
        return _parting_of_objects(then, now)
    if isinstance(then, list) and isinstance(now, list):
        for at, (left, right) in enumerate(zip(then, now)):
            path = parting(left, right)
            if path is not None:
                return f"[{at}]{path}"
        return None if len(then) == len(now) else f"[{min(len(then), len(now))}]"
    if isinstance(then, str) and isinstance(now, str):
        return None if same_text(then, now) else ""
    # In Python True == 1 == 1.0, and 0.0 == -0.0.
    equal = type(then) is type(now) and then == now
    if equal and isinstance(then, float) and then == 0:
        equal = math.copysign(1, then) == math.copysign(1, now)
    return None if equal else ""


def _parting_of_objects(then: Dict[str, Any], now: Dict[str, Any]) -> Optional[str]:
    """Keys are masked too. One without a mask stands for itself, before one with a mask takes what is left."""
    masked = [key for key in then if MASK in key]
    plain = [key for key in then if MASK not in key]
    for key in plain:
        if key not in now:
            return _member(key)
        path = parting(then[key], now[key])
        if path is not None:
            return _member(key) + path
    left = [key for key in now if key not in plain]
    if _are_paired(masked, left, then, now):
        return None
    return _member((left if len(left) > len(masked) else masked)[0])


def _are_paired(masked: List[str], left: List[str], then: Dict[str, Any], now: Dict[str, Any]) -> bool:
    """True when each masked key has a key of now for itself. A pairing that leads nowhere is taken back."""
    if not masked:
        return not left
    return any(
        same_text(masked[0], key)
        and same(then[masked[0]], now[key])
        and _are_paired(masked[1:], [*left[:at], *left[at + 1 :]], then, now)
        for at, key in enumerate(left)
    )


def _member(key: str) -> str:
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{key!r}]"
