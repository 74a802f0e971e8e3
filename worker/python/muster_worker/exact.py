"""Numbers of JSON with all their digits, where a Decimal or an integer is asked for; a double would lose some."""

from __future__ import annotations

import decimal
import math
import re
from typing import Any

from .mismatch import Mismatch
from .values import TOO_LARGE

_MANY_DIGITS = re.compile(r"\d[\d.]{15}|\d[eE]")


class Exact(float):
    """A number as it was written. Never handed to user code: `plainly` or a conversion comes before."""

    text: str
    are_there = False
    """True once there was one in this process; most processes never see any, and need not look for them."""

    def __new__(cls, text: str) -> Exact:
        Exact.are_there = True
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    def as_decimal(self) -> decimal.Decimal:
        """All the digits."""
        return decimal.Decimal(self.text)

    def as_int(self) -> Any:
        """The whole number it is, or None."""
        number = self.as_decimal()
        # A whole number of more digits than any double has is no number that somebody means.
        if number.adjusted() > 400 or number != number.to_integral_value(context=_WIDE):
            return None
        return int(number)


_WIDE = decimal.Context(prec=2000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def may_lose_digits(text: str) -> bool:
    """True when JSON text may hold a number that a double does not hold exactly."""
    return _MANY_DIGITS.search(text) is not None


def plainly(value: Any, where: str) -> Any:
    """The value with doubles in the place of exact numbers, or the place of one that no double holds."""
    if not Exact.are_there:
        return value
    if type(value) is Exact:
        if math.isinf(value):
            raise Mismatch(f"{where!r} {TOO_LARGE}")
        return float(value)
    if isinstance(value, dict):
        return {key: plainly(one, f"{where}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [plainly(one, f"{where}[{at}]") for at, one in enumerate(value)]
    return value


def for_model(value: Any) -> Any:
    """The value for a model that checks its fields itself: doubles, and decimals where a double would lose digits."""
    if not Exact.are_there:
        return value
    if type(value) is Exact:
        number = value.as_decimal()
        lossy = not math.isfinite(value) or decimal.Decimal(repr(float(value))) != number
        return number if lossy else float(value)
    if isinstance(value, dict):
        return {key: for_model(one) for key, one in value.items()}
    if isinstance(value, list):
        return [for_model(one) for one in value]
    return value
