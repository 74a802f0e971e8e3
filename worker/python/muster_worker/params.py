"""The parameters of an execution: JSON text as Python values, or a refusal where Python would change them."""

from __future__ import annotations

import enum
import json
import math
import re
from typing import Any

from .errors import InvalidParameters
from .exact import Exact, may_lose_digits
from .values import TOO_DEEP, TOO_LARGE, step

# Only a number like this can be more than a double or an int takes. Two searches, each of which begins with a set of
# characters: so they take a third of the time of one for both.
_LARGE_EXPONENT, _LONG_NUMBER = re.compile(r"[eE]\+?[0-9]{3}"), re.compile(r"[0-9][0-9]{299}")
_LONG_CHARACTERS = 300


class _TooLarge(Exception):
    """Short parameters hold a number that no double does."""


def _finite(digits: str) -> float:
    number = float(digits)
    if number in _INFINITE:
        raise _TooLarge
    return number


_INFINITE = (math.inf, -math.inf)
_scan = vars(json.JSONDecoder())["scan_once"]
_scan_short = vars(json.JSONDecoder(parse_float=_finite))["scan_once"]


class Digits(enum.Enum):
    """What the annotations ask of numbers with a point or an exponent."""

    OF_DOUBLES = "no more digits than a double has"
    OF_INTEGERS = "those of whole numbers, however they are written"
    ALL = "all, as they were written"


# The attributes of an enum take as long to look up as half the parameters of a short run take to read.
_OF_DOUBLES, _OF_INTEGERS = Digits.OF_DOUBLES, Digits.OF_INTEGERS


def read_params(text: bytes, digits: Digits = _OF_DOUBLES) -> Any:
    """The parameters, or `InvalidParameters` with the place that Python cannot hold."""
    if not text:
        return None
    # As text: of bytes the parser would first find out which of five encodings they are in.
    decoded = text.decode("utf-8")
    try:
        if digits is not _OF_DOUBLES and (digits is not _OF_INTEGERS or may_lose_digits(decoded)):
            # The binding refuses what is too large, where it is not asked for as it was written.
            return json.loads(decoded, parse_float=Exact, parse_int=_exact_integer)
        # In what is short only a number with an exponent can be too large, and few are written with one.
        is_short = len(decoded) < _LONG_CHARACTERS
        if is_short or not (_LARGE_EXPONENT.search(decoded) or _LONG_NUMBER.search(decoded)):
            value, end = (_scan_short if is_short else _scan)(decoded, 0)
            if end == len(decoded):
                return value
            # What stands around a value, or is wrong with it, is for the parser's own words.
        value = json.loads(decoded, parse_int=_integer)
    except (StopIteration, _TooLarge):
        value = json.loads(decoded, parse_int=_integer)
    except RecursionError:
        raise InvalidParameters(f"the parameters are refused: params {TOO_DEEP}") from None
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


def _exact_integer(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:
        return Exact(digits)


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
