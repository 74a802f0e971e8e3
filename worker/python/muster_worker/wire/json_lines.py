"""Messages as lines of JSON, for workers and people without a bincode: `{"Started":{"run":7}}`.

`JsonText` fields are the value itself; unknown fields are ignored; a variant without fields is a string.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, Dict, Optional, Union, get_args, get_origin

from .layout import DecodeError
from .messages import Variants

_MAX = {"u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**64 - 1}


def encode(variants: Variants, message: Any) -> bytes:
    """One line, without its end."""
    text = "".join(_write(variants, message))
    return text.encode("utf-8", "replace")


def decode(variants: Variants, line: bytes) -> Optional[Any]:
    """Reads one line; None when the message is of a later version and to be skipped."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the line is not JSON: {error}") from None
    return from_value(variants, value)


def from_value(variants: Variants, value: Any) -> Optional[Any]:
    """Reads a line that is parsed already; None when the message is of a later version and to be skipped."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) not in variants.by_name:
        return None
    return _read(variants, value)


def _write(kind: Any, value: Any) -> str:
    if isinstance(kind, Variants):
        name = type(value).__name__
        return f'"{name}"' if not value._fields else f'{{"{name}":{_write(type(value), value)}}}'
    if hasattr(kind, "__metadata__"):
        return _write(kind.__metadata__[0], value)
    if kind == "json":
        return _one_line(value)
    if kind == "code":
        return json.dumps(value.decode("utf-8"), ensure_ascii=False)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return f'"{kind(value).name}"'
    if get_origin(kind) is list:
        item = get_args(kind)[0]
        return "[" + ",".join(_write(item, one) for one in value) + "]"
    if hasattr(kind, "_fields"):
        return "{" + ",".join(_fields(kind, value)) + "}"
    return json.dumps(value, ensure_ascii=False)


def _fields(cls: Any, value: Any) -> Any:
    for (name, annotation), field in zip(cls.__annotations__.items(), value):
        if name == "fields" and not field:
            continue
        yield f'"{name}":{_write(annotation, field)}'


def _one_line(value: bytes) -> str:
    if not value:
        return "null"
    # Line breaks are legal between JSON tokens and nowhere else, but a message is one line.
    return value.decode("utf-8").replace("\n", " ").replace("\r", " ")


def _read(kind: Any, value: Any) -> Any:
    if isinstance(kind, Variants):
        return _read_variant(kind, value)
    if hasattr(kind, "__metadata__"):
        return _read(kind.__metadata__[0], value)
    if isinstance(kind, str):
        return _read_scalar(kind, value)
    if get_origin(kind) is list:
        return [_read(get_args(kind)[0], one) for one in _expect(list, value)]
    if get_origin(kind) is Union:
        return None if value is None else _read(get_args(kind)[0], value)
    if kind is str or kind is bool:
        return _expect(kind, value)
    if issubclass(kind, IntEnum):
        if not isinstance(value, str) or value not in kind.__members__:
            raise DecodeError(f"{kind.__name__} has no variant {value!r}")
        return kind[value]
    return _read_struct(kind, value)


def _read_scalar(kind: str, value: Any) -> Any:
    if kind == "json":
        return b"" if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    if kind == "code":
        text: str = _expect(str, value)
        return text.encode("utf-8")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX[kind]:
        raise DecodeError(f"{value!r} is not a {kind}")
    return value


def _read_variant(variants: Variants, value: Any) -> Any:
    if isinstance(value, str):
        name, body = value, dict[str, Any]()
    elif isinstance(value, dict) and len(value) == 1:
        name, body = next(iter(value.items()))
    else:
        raise DecodeError(f"{variants.name} is not an object with one key")
    cls = variants.by_name.get(name)
    if cls is None or (isinstance(value, str) and cls._fields):
        raise DecodeError(f"{variants.name} has no variant {value!r}")
    return _read_struct(cls, body) if cls._fields else cls()


def _read_struct(cls: Any, value: Any) -> Any:
    body: Dict[str, Any] = _expect(dict, value)
    fields = []
    for name, annotation in cls.__annotations__.items():
        if name in body:
            fields.append(_read(annotation, body[name]))
        elif name in getattr(cls, "required", ()):
            raise DecodeError(f"{cls.__name__} lacks the field {name!r}")
        else:
            fields.append(_nothing(annotation))
    return cls._make(fields)


def _nothing(kind: Any) -> Any:
    """What a field left out means."""
    if hasattr(kind, "__metadata__"):
        return b"" if kind.__metadata__[0] in ("json", "code") else 0
    if get_origin(kind) is list:
        return []
    if get_origin(kind) is Union:
        return None
    if kind is str or kind is bool:
        return kind()
    if issubclass(kind, IntEnum):
        return kind["Info"]
    return _read_struct(kind, {})


def _expect(cls: Any, value: Any) -> Any:
    if not isinstance(value, cls):
        raise DecodeError(f"{value!r} is not a {cls.__name__}")
    return value
