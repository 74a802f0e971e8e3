"""`Annotated[int, Gt(0)]`: constraints in the words of annotated-types, pydantic's `Field` and msgspec's `Meta`."""

from __future__ import annotations

import re
import sys
from typing import Any, Callable, Dict, Iterable, Tuple

_BOUNDS: Dict[str, Tuple[Callable[[Any, Any], bool], str]] = {
    "gt": (lambda value, bound: value > bound, "greater than"),
    "ge": (lambda value, bound: value >= bound, "at least"),
    "lt": (lambda value, bound: value < bound, "less than"),
    "le": (lambda value, bound: value <= bound, "at most"),
    "multiple_of": (lambda value, bound: value % bound == 0, "a multiple of"),
}
_LENGTHS: Dict[str, Tuple[Callable[[int, int], bool], str]] = {
    "min_length": (lambda length, bound: length >= bound, "at least"),
    "max_length": (lambda length, bound: length <= bound, "at most"),
}


def problem_of(kind: Any, metadata: Iterable[Any], value: Any) -> str:
    """What the value must be and is not; empty when it is all that."""
    pydantic = sys.modules.get("pydantic")
    adapter = getattr(pydantic, "TypeAdapter", None)
    if adapter is not None and any(type(one).__module__.startswith("pydantic") for one in metadata):
        try:
            adapter(kind).validate_python(value)
        except ValueError as error:
            return _words_of(error)
        return ""
    return next((problem for one in metadata for problem in _problems(one, value)), "")


def _words_of(error: Any) -> str:
    """Pydantic's words without its heading: "Input should be greater than 0"."""
    errors = getattr(error, "errors", None)
    return "; ".join(one["msg"] for one in errors()) if callable(errors) else str(error)


def _problems(constraint: Any, value: Any) -> Iterable[str]:
    if getattr(constraint, "__is_annotated_types_grouped_metadata__", False):
        for one in constraint:
            yield from _problems(one, value)
        return
    for name, (holds, words) in _BOUNDS.items():
        bound = getattr(constraint, name, None)
        if bound is not None and not _try(holds, value, bound):
            yield f"must be {words} {bound}"
    for name, (holds, words) in _LENGTHS.items():
        bound = getattr(constraint, name, None)
        if bound is not None and hasattr(value, "__len__") and not holds(len(value), bound):
            yield f"must have {words} {bound} {'characters' if isinstance(value, str) else 'items'}"
    pattern = getattr(constraint, "pattern", None)
    if isinstance(pattern, (str, re.Pattern)) and isinstance(value, str) and re.search(pattern, value) is None:
        yield f"must match {getattr(pattern, 'pattern', pattern)!r}"
    predicate = getattr(constraint, "func", None)
    if callable(predicate) and type(constraint).__name__ in ("Predicate", "Not"):
        if _try(predicate, value) is (type(constraint).__name__ == "Not"):
            yield f"must satisfy {getattr(predicate, '__name__', 'its predicate')}"


def _try(test: Callable[..., Any], *values: Any) -> bool:
    try:
        return bool(test(*values))
    except (TypeError, ArithmeticError):
        # A bound that has no meaning for this value bounds nothing.
        return True
