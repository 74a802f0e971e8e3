"""A JSON value to the type an annotation asks for, or a message that says where it does not fit.

What is understood: None, bool, int, float, str, Any, object, list, tuple, set, dict, Optional, Union, Literal, Enum,
dataclass, NamedTuple, TypedDict, NewType, Annotated with constraints, datetime, date, time, timedelta (seconds), UUID,
Decimal, Path, pydantic models, and nestings of them. Any other annotation is documentation, and the value passes as it
came.
"""

from __future__ import annotations

import collections
import collections.abc
import enum
import math
import re
import types
import typing
from typing import Any, Callable, Dict, Mapping, Tuple, Type, Union, get_args, get_origin

from . import constraints
from .exact import Exact, plainly
from .from_text import FROM_NUMBER, FROM_TEXT
from .mismatch import Mismatch, expect, short
from .records import record_of
from .values import TOO_LARGE

__all__ = ["Mismatch", "convert"]

_UNIONS: Tuple[Any, ...] = (Union, getattr(types, "UnionType", Union))
_SEQUENCES: Mapping[Any, Callable[[Any], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
}
_MAPPINGS = (dict, collections.OrderedDict, collections.abc.Mapping, collections.abc.MutableMapping)
# What stands around a type and says nothing about the value: `Required[int]`, `Final[int]`.
_WRAPPERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def convert(kind: Any, value: Any, where: str) -> Any:
    """The value as `kind`, which is an annotation."""
    if type(kind) is type and kind in _PLAIN:
        # As most are.
        return _PLAIN[kind](value, where)
    if kind in (Any, object) or isinstance(kind, (typing.TypeVar, str)):
        return plainly(value, where)
    inner = getattr(kind, "__supertype__", None) or getattr(kind, "__value__", None)
    if inner is not None and not isinstance(kind, type):
        # A NewType, or an alias that `type X = ...` made.
        return convert(inner, value, where)
    origin = get_origin(kind)
    if origin is typing.Annotated:
        return _convert_annotated(kind, value, where)
    if origin is not None:
        return _convert_generic(kind, origin, value, where)
    if kind is None or kind is type(None):
        return expect(value is None, value, where, "null")
    if not isinstance(kind, type):
        return plainly(value, where)
    return _convert_class(kind, value, where)


def _convert_annotated(kind: Any, value: Any, where: str) -> Any:
    inner, *metadata = get_args(kind)
    converted = convert(inner, value, where)
    problem = constraints.problem_of(kind, metadata, converted)
    if problem:
        raise Mismatch(f"{where!r} is {short(value)}: {problem}")
    return converted


def _convert_generic(kind: Any, origin: Any, value: Any, where: str) -> Any:
    arguments = get_args(kind)
    if origin in _UNIONS:
        return _convert_union(arguments, value, where)
    if origin is typing.Literal:
        return _convert_literal(arguments, value, where)
    if origin is tuple:
        return _convert_tuple(arguments, value, where)
    if origin in _SEQUENCES:
        items = expect(isinstance(value, list), value, where, "an array")
        return _SEQUENCES[origin](convert(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(items))
    if origin in _MAPPINGS:
        entries = expect(isinstance(value, dict), value, where, "an object")
        made = {_key(arguments[0], key, where): convert(arguments[1], one, f"{where}.{key}") for key, one in entries.items()}
        return collections.OrderedDict(made) if origin is collections.OrderedDict else made
    if getattr(origin, "_name", None) in _WRAPPERS:
        return convert(arguments[0], value, where)
    # A generic dataclass, say; what stands in the brackets is not looked at.
    return _convert_class(origin, value, where) if isinstance(origin, type) else plainly(value, where)


def _key(kind: Any, key: str, where: str) -> Any:
    """JSON keys are strings; `dict[int, ...]` reads them as numbers."""
    if kind is int:
        if not _INTEGER.fullmatch(key):
            raise Mismatch(f"{where!r} must have integer keys, not {key!r}")
        return convert(int, int(key), where) if len(key) <= 400 else expect(False, key, where, "an object with shorter keys")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        member = next((one for one in kind if str(one.value) == key), None)
        return member if member is not None else convert(kind, key, where)
    return convert(kind, key, where)


def _convert_union(arguments: Tuple[Any, ...], value: Any, where: str) -> Any:
    # An exact match first, so that Union[float, int] keeps an int and Union[date, str] a plain word.
    own = float if type(value) is Exact else type(value)
    for one in arguments:
        if one is own:
            return plainly(value, where)
    problems = []
    for one in arguments:
        try:
            return convert(one, value, where)
        except Mismatch as mismatch:
            if one is not type(None):
                problems.append(str(mismatch))
    raise Mismatch(", or ".join(problems))


def _convert_literal(arguments: Tuple[Any, ...], value: Any, where: str) -> Any:
    for one in arguments:
        same = one.value if isinstance(one, enum.Enum) else one
        if value == same and type(value) is type(same):
            return one
    raise Mismatch(f"{where!r} must be one of {', '.join(map(repr, arguments))}, not {short(value)}")


def _convert_tuple(arguments: Tuple[Any, ...], value: Any, where: str) -> Any:
    items = expect(isinstance(value, list), value, where, "an array")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(convert(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(items))
    if len(items) != len(arguments):
        raise Mismatch(f"{where!r} must have {len(arguments)} items, not {len(items)}")
    return tuple(convert(kind, one, f"{where}[{at}]") for at, (kind, one) in enumerate(zip(arguments, items)))


def _convert_class(kind: Type[Any], value: Any, where: str) -> Any:
    if kind in _PLAIN:
        return _PLAIN[kind](value, where)
    if issubclass(kind, enum.Enum):
        return _convert_enum(kind, value, where)
    record = record_of(kind)
    if record is not None:
        return record(kind, value, where, convert)
    if kind in (tuple, set, frozenset, collections.deque):
        return kind(plainly(expect(isinstance(value, list), value, where, "an array"), where))
    if kind in FROM_TEXT:
        return _from_text(kind, value, where)
    return plainly(value, where)


def _integer(value: Any, where: str) -> int:
    if type(value) is Exact:
        whole = value.as_int()
    else:
        # A double holds every whole number up to here; of a larger one nobody knows which it was.
        fits = isinstance(value, float) and value.is_integer() and abs(value) <= 2**53
        whole = int(value) if fits or (isinstance(value, int) and not isinstance(value, bool)) else None
    return int(expect(whole is not None, whole if whole is not None else value, where, "an integer"))


def _number(value: Any, where: str) -> float:
    expect(isinstance(value, (int, float)) and not isinstance(value, bool), value, where, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise Mismatch(f"{where!r} {TOO_LARGE}")
    return number


_PLAIN: Dict[Any, Callable[[Any, str], Any]] = {
    bool: lambda value, where: expect(isinstance(value, bool), value, where, "a boolean"),
    int: _integer,
    float: _number,
    str: lambda value, where: expect(isinstance(value, str), value, where, "a string"),
    list: lambda value, where: plainly(expect(isinstance(value, list), value, where, "an array"), where),
    dict: lambda value, where: plainly(expect(isinstance(value, dict), value, where, "an object"), where),
}


def _convert_enum(kind: Any, value: Any, where: str) -> Any:
    """By its value; by its name only where no other member has that as its value."""
    plain = plainly(value, where)
    for member in kind:
        same = list(member.value) if isinstance(member.value, tuple) else member.value
        # True is 1 to Python, and not to JSON.
        if same == plain and isinstance(same, bool) == isinstance(plain, bool):
            return member
    if isinstance(plain, str) and plain in kind.__members__:
        return kind[plain]
    raise Mismatch(f"{where!r} must be one of {', '.join(repr(one.value) for one in kind)}, not {short(value)}")


def _from_text(kind: Any, value: Any, where: str) -> Any:
    parse, what = FROM_TEXT[kind]
    number = kind in FROM_NUMBER and isinstance(value, (int, float))
    expect(isinstance(value, str) or (number and not isinstance(value, bool)), value, where, what)
    try:
        return parse(value)
    except (ValueError, ArithmeticError):
        raise Mismatch(f"{where!r} must be {what}, not {short(value)}") from None
