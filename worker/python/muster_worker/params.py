"""The parameters of an execution: JSON text as Python values, or a refusal where Python would change them."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .errors import InvalidParameters
from .values import TOO_DEEP, TOO_LARGE, step

# Only a number this long can be more than a double or an int takes.
_LARGE_NUMBER = re.compile(r"[eE]\+?\d{3}|\d{300}")


def read_params(text: bytes) -> Any:
    """The parameters, or `InvalidParameters` with the place that Python cannot hold."""
    if not text:
        return None
    # As text: of bytes the parser would first find out which of five encodings they are in.
    decoded = text.decode("utf-8")
    try:
        value = json.loads(decoded, parse_int=_integer) if _LARGE_NUMBER.search(decoded) else json.loads(decoded)
    except RecursionError:
        raise InvalidParameters(f"the parameters are refused: params {TOO_DEEP}") from None
    if _LARGE_NUMBER.search(decoded):
        place = _find_too_large(value)
        if place:
            raise InvalidParameters(f"the parameters are refused: {place} {TOO_LARGE}")
    return value


def _integer(digits: str) -> Any:
    """Python refuses to read integers of more than some thousand digits; infinity stands for one here."""
    try:
        return int(digits)
    except ValueError:
        return math.inf


def _find_too_large(value: Any) -> str:
    """The place of the first number that became infinite; empty when there is none."""
    waiting = [(value, "params")]
    while waiting:
        one, path = waiting.pop()
        if isinstance(one, float) and math.isinf(one):
            return path
        if isinstance(one, dict):
            waiting.extend(reversed([(inner, step(path, key)) for key, inner in one.items()]))
        elif isinstance(one, list):
            waiting.extend(reversed([(inner, f"{path}[{at}]") for at, inner in enumerate(one)]))
    return ""
