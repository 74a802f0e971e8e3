"""What a value may hold so that every store keeps it, and text for people, which is mended and never refused.

The bounds and the words are those of every Muster SDK.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

from .wire.limits import JSON_DEPTH_MAX

_PATH_MAX_CHARACTERS = 200
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# Text is searched for less when much of it is alike: digits are 0 here, quotes f, and true, false and null end alike.
_ALIKE = bytes.maketrans(b'123456789"tanrluse', b"000000000faaaeeeee")
_LONG_NUMBER = b"0" * 300
_KEY_WITH_DIGIT, _KEY_LIKE_CONSTANT = b'0":'.translate(_ALIKE), b'"true":'.translate(_ALIKE)
# Shorter text holds neither 300 digits nor 512 brackets.
_SUSPECT_LEAST_BYTES = 300
# Shorter text holds no key twice.
_KEY_TWICE_LEAST_BYTES = len('{"1":1,"1":1}')
_KEY_OF_NO_TEXT = re.compile(rb'"(?:-?[0-9][0-9.e+-]*|true|false|null)":')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

TOO_LARGE = "is a number that no double holds; write it as a string"
TOO_DEEP = f"is nested more than {JSON_DEPTH_MAX} deep; flatten it, or store it elsewhere and pass a reference"
HALF_PAIR = "holds half of a surrogate pair, which is no text; cut text between whole characters"
NUL = "holds the character U+0000, which databases do not keep; remove it"


def clean(text: str) -> str:
    """Text that every store keeps: U+FFFD stands for half surrogate pairs and U+0000."""
    if _HALF_PAIR.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd")


def cut(text: str, max_bytes: int) -> str:
    """Clean text, cut at a character border and marked when it is too long."""
    if len(text) > max_bytes:
        # Of what is cut away nothing but its size counts.
        size = len(text.encode("utf-8", "replace"))
        return _within(clean(text[:max_bytes]).encode("utf-8"), size, max_bytes)
    text = clean(text)
    if len(text) * 4 <= max_bytes:
        return text
    encoded = text.encode("utf-8")
    return text if len(encoded) <= max_bytes else _within(encoded, len(encoded), max_bytes)


def _within(encoded: bytes, size: int, max_bytes: int) -> str:
    mark = f" ... [cut, {size} bytes in all]"
    return encoded[: max_bytes - len(mark)].decode("utf-8", "ignore") + mark


def shown(value: Any) -> str:
    """A value as text for a person, whatever its methods do."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}, __str__ raised {type(error).__name__}>"


def may_be_unfit(json_text: bytes) -> bool:
    """True when JSON text that was just written may hold what cannot be kept; most never does."""
    # Not `in`: it takes what it looks for for a number first, and makes an error of that, which takes as long as the rest.
    if json_text.find(b"\\u0000") >= 0:
        return True
    size = len(json_text)
    if size < _KEY_TWICE_LEAST_BYTES:
        return False
    alike = json_text.translate(_ALIKE)
    if size >= _SUSPECT_LEAST_BYTES and (alike.find(_LONG_NUMBER) >= 0 or is_too_deep(json_text)):
        return True
    if alike.find(_KEY_WITH_DIGIT) < 0 and alike.find(_KEY_LIKE_CONSTANT) < 0:
        return False
    return _has_key_twice(json_text)


def _has_key_twice(json_text: bytes) -> bool:
    """True when an object has a key twice: keys that are no text become text, and fall together with one that is it."""
    if _KEY_OF_NO_TEXT.search(json_text) is None:
        return False
    try:
        _see_keys(json_text.decode())
    except (ValueError, RecursionError):
        return True
    return False


def _refuse_twice(pairs: List[Tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands there twice")


# Made before user code may replace what it is made of.
_see_keys = json.JSONDecoder(object_pairs_hook=_refuse_twice).decode


def is_too_deep(json_text: bytes) -> bool:
    """True when arrays and objects are nested too deep. The innermost ones are taken away until none is left."""
    if json_text.count(b"[") + json_text.count(b"{") <= JSON_DEPTH_MAX:
        return False
    left = _STRINGS.sub(b"", json_text).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(JSON_DEPTH_MAX):
        left = left.replace(b"[]", b"")
        if not left:
            return False
    return True


_Above = Optional[Tuple[Any, Any]]


def find_unfit(value: Any, root: str, plain: Callable[[Any], Any]) -> str:
    """The first place that cannot be kept, in words; empty when there is none. `plain` makes JSON of other types."""
    waiting: List[Tuple[Any, str, int, _Above]] = [(value, root, 0, None)]
    while waiting:
        one, path, depth, above = waiting.pop()
        problem = _unfit_here(one, depth, above)
        if problem:
            return f"{_short(path)} {problem}"
        if isinstance(one, dict):
            for key in one:
                problem = _unfit_key(key)
                if problem:
                    return f"a key of {_short(path)} {problem}" if path else f"a key {problem}"
            problem = _keys_fall_together(one)
            if problem:
                return f"{_short(path) or 'the value'} {problem}"
            children = [(inner, step(path, _json_key(key))) for key, inner in one.items()]
        elif isinstance(one, (list, tuple)):
            children = [(inner, f"{path}[{at}]") for at, inner in enumerate(one)]
        elif one is None or isinstance(one, (str, int, float)):
            continue
        else:
            try:
                waiting.append((plain(one), path, depth, (one, above)))
            except TypeError:
                return f"{_short(path)} {_foreign(one)}"
            continue
        waiting.extend((inner, place, depth + 1, (one, above)) for inner, place in reversed(children))
    return ""


_HINTS = {
    "ndarray": "write .tolist()",
    "DataFrame": 'write .to_dict("records")',
    "Series": "write .tolist(), or .to_dict() to keep the index",
    "Index": "write .tolist()",
    "coroutine": "put await before the call that gave it",
    "generator": "write list(...)",
    "NAType": "write None",
    "NaTType": "write None",
    "Timedelta": "write .total_seconds()",
    "datetime64": "write str(...)",
    "timedelta64": "write str(...)",
}


def _foreign(value: Any) -> str:
    """What is wrong with a value of a type that JSON does not know, and what to write instead where that is known."""
    kind = type(value)
    hint = ""
    if kind.__module__.partition(".")[0] in ("numpy", "pandas"):
        hint = "; " + _HINTS.get(kind.__name__, "write .item()" if hasattr(value, "item") else "write str(...)")
    elif kind.__module__ == "builtins" and kind.__name__ in _HINTS:
        hint = "; " + _HINTS[kind.__name__]
    return f"is of type {kind.__module__}.{kind.__qualname__}; JSON has no such value{hint}"


def _unfit_here(value: Any, depth: int, above: _Above) -> str:
    if isinstance(value, str):
        return _unfit_text(value)
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return TOO_LARGE if value.bit_length() > 1024 else ""
    if isinstance(value, float):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return "" if math.isfinite(value) else f"is {name}; JSON has no such number, write null or a string instead"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "is bytes; decode them, or write base64.b64encode(...).decode()"
    if not isinstance(value, (dict, list, tuple)):
        return ""
    while above is not None:
        if above[0] is value:
            return "contains itself; write a copy without the cycle"
        above = above[1]
    return TOO_DEEP if depth >= JSON_DEPTH_MAX else ""


def _unfit_text(text: str) -> str:
    if _HALF_PAIR.search(text):
        return HALF_PAIR
    return NUL if "\0" in text else ""


def _unfit_key(key: Any) -> str:
    if isinstance(key, str):
        return _unfit_text(key)
    if key is None or isinstance(key, (int, float)):
        return ""
    return f"is {type(key).__name__} ({shown(key)}); JSON keys are strings"


def _keys_fall_together(keys: Dict[Any, Any]) -> str:
    kinds: Dict[str, str] = {}
    for key in keys:
        text, kind = _json_key(key), type(key).__name__
        if text in kinds:
            said = f'has the key "{clean(text)}" twice, of {kinds[text]} and of {kind}'
            return f"{said}; JSON keys are strings, so keep one or rename it"
        kinds[text] = kind
    return ""


def _json_key(key: Any) -> str:
    """A key as it is written."""
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return float.__repr__(key) if isinstance(key, float) else int.__repr__(key)


def step(path: str, key: str) -> str:
    """The path of what stands below another, as every Muster SDK writes it."""
    if not _PLAIN_KEY.match(key):
        quoted = clean(key).replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{quoted}"]'
    return f"{path}.{key}" if path else key


def _short(path: str) -> str:
    return path if len(path) <= _PATH_MAX_CHARACTERS else path[:_PATH_MAX_CHARACTERS] + "…"
