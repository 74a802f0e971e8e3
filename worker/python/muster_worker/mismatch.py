"""A value that does not fit, in words."""

from __future__ import annotations

from typing import Any


class Mismatch(ValueError):
    """A value that is not of the annotated type; the text names the place."""


def short(value: Any) -> str:
    """A value in a message."""
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def expect(holds: bool, value: Any, where: str, what: str) -> Any:
    """The value, if that holds."""
    if not holds:
        raise Mismatch(f"{where!r} must be {what}, not {short(value)}")
    return value
