"""A JSON value to the type an annotation asks for, or a message that says where it does not fit.

What is understood: None, bool, int, float, str, Any, object, list, tuple, set, dict, Optional, Union,
Literal, Enum, dataclass, TypedDict, datetime, date, time, timedelta (seconds), UUID, Decimal, Path and
bytes-free nestings of them. Any other annotation is documentation, and the value passes as it came.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import pathlib
import types
import typing
import uuid
from typing import Any, Callable, Dict, Mapping, Tuple, Type, Union, get_args, get_origin


class Mismatch(ValueError):
    """A value that is not of the annotated type; the text names the place."""


_UNIONS: Tuple[Any, ...] = (Union, getattr(types, "UnionType", Union))
_SEQUENCES: Mapping[Any, Callable[[Any], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def convert(kind: Any, value: Any, where: str) -> Any:
    """The value as `kind`, which is an annotation."""
    if kind in (Any, object) or isinstance(kind, (typing.TypeVar, str)):
        return value
    origin = get_origin(kind)
    if origin is typing.Annotated:
        return convert(get_args(kind)[0], value, where)
    if origin is not None:
        return _convert_generic(kind, origin, value, where)
    if kind is None or kind is type(None):
        return _expect(value is None, value, where, "null")
    if not isinstance(kind, type):
        return value
    return _convert_class(kind, value, where)


def _convert_generic(kind: Any, origin: Any, value: Any, where: str) -> Any:
    arguments = get_args(kind)
    if origin in _UNIONS:
        return _convert_union(arguments, value, where)
    if origin is typing.Literal:
        if not any(value == one and type(value) is type(one) for one in arguments):
            raise Mismatch(f"{where!r} must be one of {', '.join(map(repr, arguments))}, not {value!r}")
        return value
    if origin is tuple:
        return _convert_tuple(arguments, value, where)
    if origin in _SEQUENCES:
        items = _expect(isinstance(value, list), value, where, "an array")
        return _SEQUENCES[origin](convert(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(items))
    if origin in _MAPPINGS:
        entries = _expect(isinstance(value, dict), value, where, "an object")
        return {_key(arguments[0], key, where): convert(arguments[1], one, f"{where}.{key}") for key, one in entries.items()}
    return value


def _key(kind: Any, key: str, where: str) -> Any:
    """JSON keys are strings; `dict[int, ...]` reads them as numbers."""
    if kind is int:
        try:
            return int(key)
        except ValueError:
            raise Mismatch(f"{where!r} must have integer keys, not {key!r}") from None
    return convert(kind, key, where)


def _convert_union(arguments: Tuple[Any, ...], value: Any, where: str) -> Any:
    # An exact match first, so that Union[float, int] keeps an int and Union[date, str] a plain word.
    for one in arguments:
        if isinstance(one, type) and type(value) is one:
            return value
    problems = []
    for one in arguments:
        try:
            return convert(one, value, where)
        except Mismatch as mismatch:
            if one is not type(None):
                problems.append(str(mismatch))
    raise Mismatch(", or ".join(problems))


def _convert_tuple(arguments: Tuple[Any, ...], value: Any, where: str) -> Any:
    items = _expect(isinstance(value, list), value, where, "an array")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(convert(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(items))
    if len(items) != len(arguments):
        raise Mismatch(f"{where!r} must have {len(arguments)} items, not {len(items)}")
    return tuple(convert(kind, one, f"{where}[{at}]") for at, (kind, one) in enumerate(zip(arguments, items)))


def _convert_class(kind: Type[Any], value: Any, where: str) -> Any:
    if kind is bool:
        return _expect(isinstance(value, bool), value, where, "a boolean")
    if kind is int:
        whole = isinstance(value, float) and value.is_integer()
        fits = isinstance(value, int) and not isinstance(value, bool)
        return int(_expect(fits or whole, value, where, "an integer"))
    if kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(_expect(fits, value, where, "a number"))
    if kind is str:
        return _expect(isinstance(value, str), value, where, "a string")
    if kind in (list, tuple, set, frozenset):
        return kind(_expect(isinstance(value, list), value, where, "an array"))
    if kind is dict:
        return _expect(isinstance(value, dict), value, where, "an object")
    if issubclass(kind, enum.Enum):
        return _convert_enum(kind, value, where)
    if dataclasses.is_dataclass(kind):
        return _convert_dataclass(kind, value, where)
    if typing.is_typeddict(kind) if hasattr(typing, "is_typeddict") else hasattr(kind, "__total__"):
        return _convert_typed_dict(kind, value, where)
    if kind in _FROM_TEXT:
        return _from_text(kind, value, where)
    if hasattr(kind, "model_validate"):
        return _convert_model(kind, value, where)
    return value


def _convert_enum(kind: Any, value: Any, where: str) -> Any:
    for member in kind:
        if member.value == value or member.name == value:
            return member
    raise Mismatch(f"{where!r} must be one of {', '.join(repr(one.value) for one in kind)}, not {value!r}")


def _convert_dataclass(kind: Any, value: Any, where: str) -> Any:
    entries = _expect(isinstance(value, dict), value, where, f"an object ({kind.__name__})")
    fields = {one.name: one for one in dataclasses.fields(kind) if one.init}
    unknown = [key for key in entries if key not in fields]
    if unknown:
        raise Mismatch(f"{where!r} has no field {unknown[0]!r}; {kind.__name__} has {', '.join(fields)}")
    missing = [
        name
        for name, one in fields.items()
        if name not in entries
        and one.default is dataclasses.MISSING
        and one.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise Mismatch(f"{where + '.' + missing[0]!r} is missing")
    hints = _hints(kind)
    converted = {key: convert(hints.get(key, Any), one, f"{where}.{key}") for key, one in entries.items()}
    try:
        return kind(**converted)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"{where!r} is no {kind.__name__}: {error}") from error


def _convert_typed_dict(kind: Any, value: Any, where: str) -> Any:
    entries = _expect(isinstance(value, dict), value, where, f"an object ({kind.__name__})")
    for key in sorted(kind.__required_keys__):
        if key not in entries:
            raise Mismatch(f"{where + '.' + key!r} is missing")
    hints = _hints(kind)
    return {key: convert(hints.get(key, Any), one, f"{where}.{key}") for key, one in entries.items()}


def _convert_model(kind: Any, value: Any, where: str) -> Any:
    """A pydantic model, or anything that looks like one."""
    try:
        return kind.model_validate(value)
    except ValueError as error:
        raise Mismatch(f"{where!r} is no {kind.__name__}: {error}") from error


def _hints(kind: Any) -> Dict[str, Any]:
    try:
        return typing.get_type_hints(kind)
    except Exception:
        # An annotation that cannot be evaluated is documentation.
        return {}


def _moment(text: str) -> datetime.datetime:
    # Python before 3.11 does not know the Z.
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


_FROM_TEXT: Dict[Any, Tuple[Callable[[Any], Any], str]] = {
    datetime.datetime: (_moment, "an ISO 8601 date and time"),
    datetime.date: (datetime.date.fromisoformat, "an ISO 8601 date"),
    datetime.time: (datetime.time.fromisoformat, "an ISO 8601 time"),
    datetime.timedelta: (lambda seconds: datetime.timedelta(seconds=float(seconds)), "a number of seconds"),
    uuid.UUID: (uuid.UUID, "a UUID"),
    decimal.Decimal: (lambda number: decimal.Decimal(str(number)), "a decimal number"),
    pathlib.Path: (pathlib.Path, "a path"),
}


def _from_text(kind: Any, value: Any, where: str) -> Any:
    parse, what = _FROM_TEXT[kind]
    number = kind in (datetime.timedelta, decimal.Decimal) and isinstance(value, (int, float))
    _expect(isinstance(value, str) or (number and not isinstance(value, bool)), value, where, what)
    try:
        return parse(value)
    except (ValueError, ArithmeticError):
        raise Mismatch(f"{where!r} must be {what}, not {value!r}") from None


def _expect(holds: bool, value: Any, where: str, what: str) -> Any:
    if not holds:
        shown = repr(value)
        raise Mismatch(f"{where!r} must be {what}, not {shown if len(shown) <= 60 else shown[:57] + '...'}")
    return value
