"""Values that JSON writes as text or as a plain number: dates and times, UUIDs, decimals, paths."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import uuid
from typing import Any, Callable, Dict, Tuple

from .exact import Exact


def _moment(text: str) -> datetime.datetime:
    # Python before 3.11 does not know the Z.
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def _decimal(number: Any) -> decimal.Decimal:
    return number.as_decimal() if type(number) is Exact else decimal.Decimal(str(number))


Parser = Callable[[Any], Any]

FROM_TEXT: Dict[Any, Tuple[Parser, str]] = {
    datetime.datetime: (_moment, "an ISO 8601 date and time"),
    datetime.date: (datetime.date.fromisoformat, "an ISO 8601 date"),
    datetime.time: (datetime.time.fromisoformat, "an ISO 8601 time"),
    datetime.timedelta: (lambda seconds: datetime.timedelta(seconds=float(seconds)), "a number of seconds"),
    uuid.UUID: (uuid.UUID, "a UUID"),
    decimal.Decimal: (_decimal, "a decimal number"),
    pathlib.Path: (pathlib.Path, "a path"),
}
FROM_NUMBER = (datetime.timedelta, decimal.Decimal)
