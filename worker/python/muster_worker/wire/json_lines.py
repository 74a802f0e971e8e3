"""Messages as lines of JSON, for workers and people without a bincode: `{"Started":{"run":7}}`.

`JsonText` fields are the value itself; unknown fields are ignored; a variant without fields is a string.
"""

from __future__ import annotations

import json
import re
from enum import IntEnum
from typing import Any, List, Match, Optional, Tuple, Union, get_args, get_origin

from .layout import DecodeError
from .messages import Variants

_UNSIGNED = re.compile(r"[0-9]{1,20}")
_MAX = {"u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**64 - 1}


def encode(variants: Variants, message: Any) -> bytes:
    """One line, without its end."""
    text = "".join(_write(variants, message))
    return text.encode("utf-8", "replace")


def decode(variants: Variants, line: bytes) -> Optional[Any]:
    """Reads one line; None when the message is of a later version and to be skipped."""
    try:
        # Of bytes the parser would find out which of five encodings they are in; there is one.
        text = line.decode("utf-8")
        try:
            return from_value(variants, _parsed(text))
        except UnicodeEncodeError:
            # Half of a surrogate pair where a text is expected: a line that was cut by hand must not cost its execution.
            return from_value(variants, _parsed(_ESCAPE.sub(_whole, text)))
    except DecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the line is not JSON: {error}") from None


def _parsed(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_Object, parse_int=_Written, parse_float=_Written, parse_constant=_no_number
    )


def from_value(variants: Variants, value: Any) -> Optional[Any]:
    """Reads a line that is parsed already; None when the message is of a later version and to be skipped."""
    pairs = _pairs(value)
    if pairs is not None and len(pairs) == 1 and pairs[0][0] not in variants.by_name:
        return None
    return _read(variants, value)


class _Written:
    """A part of the text that stays as it is: a number, whatever Python would make of it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class _Object(List[Tuple[str, Any]]):
    """An object as it is written: a payload may say a name twice, a message may not."""


def _pairs(value: Any) -> Optional[List[Tuple[str, Any]]]:
    return value if isinstance(value, _Object) else list(value.items()) if isinstance(value, dict) else None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _whole(escape: Match[str]) -> str:
    """U+FFFD for an escape of what no store keeps."""
    return "\\ufffd" if len(escape[0]) == len("\\ufffd") else escape[0]


def _payload(value: Any) -> str:
    """A value as JSON text again. Without a call for each level: a value may be nested deeper than Python's calls."""
    out: List[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        pairs = _pairs(one)
        if isinstance(one, _Written):
            out.append(one.text)
        elif pairs is not None:
            out.append("{")
            parts = [part for key, inner in pairs for part in (_COMMA, key, _COLON, inner)][1:]
            waiting.extend((_CLOSED_OBJECT, *reversed(parts)))
        elif isinstance(one, list):
            out.append("[")
            parts = [part for inner in one for part in (_COMMA, inner)][1:]
            waiting.extend((_CLOSED_ARRAY, *reversed(parts)))
        else:
            # As an escape half of a surrogate pair stays what it is.
            is_kept = not isinstance(one, str) or _is_text(one)
            out.append(json.dumps(one, ensure_ascii=not is_kept))
    return "".join(out)


_COMMA, _COLON, _CLOSED_OBJECT, _CLOSED_ARRAY = map(_Written, ",:}]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?:[dD][89a-fA-F][0-9a-fA-F]{2}|0000)|.)"
)
"""Whole pairs, halves of one and U+0000, and any other escape by its first two characters."""


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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
        return [_read(get_args(kind)[0], one) for one in _array(value)]
    if get_origin(kind) is Union:
        return None if value is None else _read(get_args(kind)[0], value)
    if kind is str or kind is bool:
        if isinstance(value, str):
            value.encode("utf-8")
        return _expect(kind, value)
    if issubclass(kind, IntEnum):
        if not isinstance(value, str) or value not in kind.__members__:
            raise DecodeError(f"{kind.__name__} has no variant {value!r}")
        return kind[value]
    return _read_struct(kind, value)


def _read_scalar(kind: str, value: Any) -> Any:
    if kind == "json":
        return b"" if value is None else _payload(value).encode("utf-8")
    if kind == "code":
        text: str = _expect(str, value)
        return text.encode("utf-8")
    number = int(value.text) if isinstance(value, _Written) and _UNSIGNED.fullmatch(value.text) else value
    if type(number) is not int or not 0 <= number <= _MAX[kind]:
        raise DecodeError(f"{value!r} is not a {kind}")
    return number


def _read_variant(variants: Variants, value: Any) -> Any:
    pairs = _pairs(value)
    if isinstance(value, str):
        name, body = value, None
    elif pairs is not None and len(pairs) == 1:
        name, body = pairs[0]
    else:
        raise DecodeError(f"{variants.name} is not an object with one key")
    cls = variants.by_name.get(name)
    if cls is None or (isinstance(value, str) and cls._fields):
        raise DecodeError(f"{variants.name} has no variant {value!r}")
    if cls._fields:
        return _read_struct(cls, body)
    if body is not None:
        raise DecodeError(f"{name} has no fields")
    return cls()


def _read_struct(cls: Any, value: Any) -> Any:
    pairs = _pairs(value)
    if pairs is None:
        raise DecodeError(f"{value!r} is not a {cls.__name__}")
    body = dict(pairs)
    fields = []
    for name, annotation in cls.__annotations__.items():
        if len(body) < len(pairs) and sum(key == name for key, _ in pairs) > 1:
            raise DecodeError(f"{cls.__name__} has the field {name!r} twice")
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


def _array(value: Any) -> List[Any]:
    if not isinstance(value, list) or isinstance(value, _Object):
        raise DecodeError(f"{value!r} is not an array")
    return value


def _expect(cls: Any, value: Any) -> Any:
    if not isinstance(value, cls):
        raise DecodeError(f"{value!r} is not a {cls.__name__}")
    return value
