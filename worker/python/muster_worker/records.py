"""Classes with named fields from JSON objects: dataclasses, NamedTuples, TypedDicts, pydantic models."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from typing import Any, Callable, Dict, List, Mapping, Optional

from . import hints
from .exact import for_model
from .mismatch import Mismatch, expect

Convert = Callable[[Any, Any, str], Any]
Record = Callable[[Any, Any, str, Convert], Any]


def is_model(kind: Any) -> bool:
    """True for what checks its fields itself: models and dataclasses of pydantic."""
    return any(hasattr(kind, name) for name in ("__pydantic_validator__", "model_validate", "parse_obj"))


def record_of(kind: Any) -> Optional[Record]:
    """How to make one of a class; None when it is no such class."""
    if is_model(kind):
        return _model
    if dataclasses.is_dataclass(kind):
        return _dataclass
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple
    if typing.is_typeddict(kind) if hasattr(typing, "is_typeddict") else hasattr(kind, "__total__"):
        return _typed_dict
    return None


def _dataclass(kind: Any, value: Any, where: str, convert: Convert) -> Any:
    entries = expect(isinstance(value, dict), value, where, f"an object ({kind.__name__})")
    fields = {one.name: one for one in dataclasses.fields(kind) if one.init}
    needed = [
        name
        for name, one in fields.items()
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]
    converted = _fields(kind, entries, list(fields), needed, where, convert)
    try:
        return kind(**converted)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"{where!r} is no {kind.__name__}: {error}") from error


def _named_tuple(kind: Any, value: Any, where: str, convert: Convert) -> Any:
    """From an object, or from an array: that is how it is written as a result."""
    names: List[str] = list(kind._fields)
    if isinstance(value, list):
        least = len(names) - len(kind._field_defaults)
        if not least <= len(value) <= len(names):
            raise Mismatch(f"{where!r} must have {len(names)} items ({', '.join(names)}), not {len(value)}")
        types = hints.of_class(kind)
        return kind(*(convert(types.get(name, Any), one, f"{where}[{at}]") for at, (name, one) in enumerate(zip(names, value))))
    entries = expect(isinstance(value, dict), value, where, f"an object or array ({kind.__name__})")
    needed = [name for name in names if name not in kind._field_defaults]
    return kind(**_fields(kind, entries, names, needed, where, convert))


def _fields(
    kind: Any, entries: Mapping[str, Any], names: List[str], needed: List[str], where: str, convert: Convert
) -> Dict[str, Any]:
    for key in entries:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; {kind.__name__} has {', '.join(names)}"
            raise Mismatch(f"{where!r} has no field {key!r}{hint}")
    for name in needed:
        if name not in entries:
            raise Mismatch(f"{where + '.' + name!r} is missing")
    types = hints.of_class(kind)
    return {key: convert(types.get(key, Any), one, f"{where}.{key}") for key, one in entries.items()}


def _typed_dict(kind: Any, value: Any, where: str, convert: Convert) -> Any:
    entries = expect(isinstance(value, dict), value, where, f"an object ({kind.__name__})")
    for key in sorted(kind.__required_keys__):
        if key not in entries:
            raise Mismatch(f"{where + '.' + key!r} is missing")
    types = hints.of_class(kind)
    return {key: convert(types.get(key, Any), one, f"{where}.{key}") for key, one in entries.items()}


def _model(kind: Any, value: Any, where: str, convert: Convert) -> Any:
    """A pydantic model of version 2 or 1, or a dataclass of pydantic's: it checks its fields itself, by their aliases."""
    plain = for_model(value)
    try:
        if hasattr(kind, "model_validate"):
            return kind.model_validate(plain)
        if hasattr(kind, "parse_obj"):
            return kind.parse_obj(plain)
        return kind.__pydantic_validator__.validate_python(plain)
    except ValueError as error:
        raise Mismatch(f"{where!r} is no {kind.__name__}: {_told(error, where)}") from error


def _told(error: Any, where: str) -> str:
    """Every problem with its place, in one line; pydantic's own text takes three for each."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return str(error)
    return "; ".join(f"{_place(where, one['loc'])!r}: {one['msg']}" for one in errors())


def _place(where: str, steps: Any) -> str:
    return where + "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in steps)
