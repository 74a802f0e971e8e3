"""The layout of a named tuple as two functions, in which fields of fixed width that stand together are one step.

The functions are written as source and compiled, as `namedtuple` itself does it. A message has many small
fields, and a call for each would cost more than all the rest of a short execution.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Callable, Dict, Iterator, List, Tuple

Encoder = Callable[[Any, List[bytes]], None]
Decoder = Callable[[bytes, int], Tuple[Any, int]]
Codec = Callable[[Any], Tuple[Encoder, Decoder]]

_FORMATS = {"u16": "H", "u32": "I", "u64": "Q"}
_BYTES = ("json", "code")


class DecodeError(ValueError):
    """The bytes are not a message of this direction."""


def too_long(length: int, at: int) -> DecodeError:
    """A length is believed only as far as there are bytes, so a hostile one costs no memory."""
    return DecodeError(f"a length of {length} at byte {at - 8} is more than the message holds")


def no_variant(name: str, index: int) -> DecodeError:
    """The number of an enum that has no such variant."""
    return DecodeError(f"{name} has no variant {index}")


def no_boolean(at: int) -> DecodeError:
    """A byte that is neither 0 nor 1."""
    return DecodeError(f"no boolean at byte {at}")


def encoder_of(cls: Any, codec: Codec) -> Encoder:
    """Writes the fields one after the other. `codec` knows the fields that have a layout of their own."""
    source = _Source("def function(value, out):")
    together: List[Tuple[str, str]] = []

    def step() -> None:
        if together:
            pack = source.know(struct.Struct("<" + "".join(width for width, _ in together)).pack)
            source.line(f"out.append({pack}({', '.join(value for _, value in together)}))")
            together.clear()

    if cls._fields:
        source.line("".join(f"{name}_, " for name in cls._fields) + "= value")
    for name, kind in _fields(cls):
        if kind in _FORMATS or kind is bool or _is_enum(kind):
            together.append((_FORMATS.get(kind, "?" if kind is bool else "I"), name))
        elif kind is str or kind in _BYTES:
            if kind is str:
                # A lone surrogate (from a file name, say) must not be able to break a frame.
                source.line(f"{name} = {name}.encode('utf-8', 'replace')")
            together.append(("Q", f"len({name})"))
            step()
            source.line(f"out.append({name})")
        else:
            step()
            source.line(f"{source.know(codec(kind)[0])}({name}, out)")
    step()
    made: Encoder = source.made("return None")
    return made


def decoder_of(cls: Any, codec: Codec) -> Decoder:
    """Reads the fields one after the other; what breaks off raises `struct.error`, and bad text a `UnicodeError`."""
    source = _Source("def function(body, at):")
    together: List[Tuple[str, str]] = []
    checks: List[str] = []

    def step() -> None:
        if together:
            layout = struct.Struct("<" + "".join(width for width, _ in together))
            source.line(f"{', '.join(target for _, target in together)}, = {source.know(layout.unpack_from)}(body, at)")
            source.line(f"at += {layout.size}")
            for check in checks:
                source.line(check)
            together.clear()
            checks.clear()

    for name, kind in _fields(cls):
        if kind in _FORMATS:
            together.append((_FORMATS[kind], name))
        elif kind is bool:
            together.append(("B", name))
            checks.append(f"if {name} > 1: raise {source.know(no_boolean)}(at - 1)")
            checks.append(f"{name} = {name} == 1")
        elif _is_enum(kind):
            together.append(("I", name))
            raised = f"{source.know(no_variant)}({kind.__name__!r}, {name})"
            checks.append(f"if {name} >= {len(kind)}: raise {raised}")
            checks.append(f"{name} = {source.know(tuple(kind))}[{name}]")
        elif kind is str or kind in _BYTES:
            together.append(("Q", "length"))
            step()
            source.line("end = at + length")
            source.line(f"if end > len(body): raise {source.know(too_long)}(length, at)")
            source.line(f"{name} = body[at:end]" + (".decode()" if kind is str else ""))
            source.line("at = end")
        else:
            step()
            source.line(f"{name}, at = {source.know(codec(kind)[1])}(body, at)")
    step()
    values = "".join(f"{name}, " for name, _ in _fields(cls))
    made: Decoder = source.made(f"return {source.know(tuple.__new__)}({source.know(cls)}, ({values})), at")
    return made


def _fields(cls: Any) -> Iterator[Tuple[str, Any]]:
    """A variable for each field, that cannot be one of ours, and how the field is spelled."""
    for name, annotation in cls.__annotations__.items():
        yield f"{name}_", getattr(annotation, "__metadata__", (annotation,))[0]


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, IntEnum)


class _Source:
    """A function in the making, and the values it knows by name."""

    def __init__(self, head: str) -> None:
        self._lines = [head]
        self._known: Dict[str, Any] = {}

    def know(self, value: Any) -> str:
        """The name of a value in the source."""
        name = f"known{len(self._known)}"
        self._known[name] = value
        return name

    def line(self, text: str) -> None:
        """One more line of the body."""
        self._lines.append(text)

    def made(self, last: str) -> Any:
        """The function, compiled."""
        exec("\n    ".join([*self._lines, last]), self._known)
        return self._known["function"]
