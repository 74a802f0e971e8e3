"""Messages as bytes: little-endian integers of fixed width, a u64 length before text and lists, a u32
before enums. The layout comes from the annotations in `messages`; one encoder and one decoder is built
per class, on first use.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Callable, Dict, List, Optional, Tuple, Type, Union, get_args, get_origin

from .messages import Variants

Encoder = Callable[[Any, List[bytes]], None]
Decoder = Callable[[bytes, int], Tuple[Any, int]]

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class DecodeError(ValueError):
    """The bytes are not a message of this direction."""


def encode(variants: Variants, message: Any) -> bytes:
    """The body of one frame."""
    out: List[bytes] = []
    _codec(variants)[0](message, out)
    return b"".join(out)


def decode(variants: Variants, body: bytes) -> Optional[Any]:
    """Reads one body, all of it; None when the message is of a later version and to be skipped."""
    if len(body) < 4:
        raise DecodeError(f"a message of {len(body)} bytes is shorter than its index")
    if _U32.unpack_from(body)[0] >= len(variants.classes):
        return None
    message, end = _codec(variants)[1](body, 0)
    if end != len(body):
        raise DecodeError(f"{type(message).__name__} ends after {end} of {len(body)} bytes")
    return message


_codecs: Dict[Any, Tuple[Encoder, Decoder]] = {}


def _codec(kind: Any) -> Tuple[Encoder, Decoder]:
    """The encoder and decoder of an annotation, built once."""
    try:
        return _codecs[kind]
    except KeyError:
        _codecs[kind] = made = _build(kind)
        return made


def _build(kind: Any) -> Tuple[Encoder, Decoder]:
    if isinstance(kind, Variants):
        return _enum(kind)
    if hasattr(kind, "__metadata__"):
        return _codec(kind.__metadata__[0])
    if isinstance(kind, str):
        integer = {"u16": "<H", "u32": "<I", "u64": "<Q"}.get(kind)
        return _number(struct.Struct(integer)) if integer else (_encode_bytes, _decode_bytes)
    if get_origin(kind) is list:
        return _list(get_args(kind)[0])
    if get_origin(kind) is Union:
        return _option(get_args(kind)[0])
    if kind is str:
        return _encode_text, _decode_text
    if kind is bool:
        return _encode_bool, _decode_bool
    if issubclass(kind, IntEnum):
        return _plain_enum(kind)
    return _struct(kind)


def _number(layout: struct.Struct) -> Tuple[Encoder, Decoder]:
    size, pack, unpack = layout.size, layout.pack, layout.unpack_from

    def write(value: int, out: List[bytes]) -> None:
        out.append(pack(value))

    def read(body: bytes, at: int) -> Tuple[int, int]:
        try:
            return unpack(body, at)[0], at + size
        except struct.error:
            raise DecodeError(f"the message breaks off at byte {len(body)}") from None

    return write, read


def _encode_bytes(value: bytes, out: List[bytes]) -> None:
    out.append(_U64.pack(len(value)))
    out.append(value)


def _decode_length(body: bytes, at: int) -> Tuple[int, int]:
    try:
        length: int = _U64.unpack_from(body, at)[0]
    except struct.error:
        raise DecodeError(f"the message breaks off at byte {len(body)}") from None
    # A length is believed only as far as there are bytes, so a hostile one costs no memory.
    if length > len(body) - at - 8:
        raise DecodeError(f"a length of {length} at byte {at} is more than the message holds")
    return length, at + 8


def _decode_bytes(body: bytes, at: int) -> Tuple[bytes, int]:
    length, at = _decode_length(body, at)
    return body[at : at + length], at + length


def _encode_text(value: str, out: List[bytes]) -> None:
    # A lone surrogate (from a file name, say) must not be able to break a frame.
    _encode_bytes(value.encode("utf-8", "replace"), out)


def _decode_text(body: bytes, at: int) -> Tuple[str, int]:
    length, at = _decode_length(body, at)
    try:
        return body[at : at + length].decode("utf-8"), at + length
    except UnicodeDecodeError as error:
        raise DecodeError(f"text at byte {at} is not UTF-8: {error}") from None


def _encode_bool(value: bool, out: List[bytes]) -> None:
    out.append(b"\x01" if value else b"\x00")


def _decode_bool(body: bytes, at: int) -> Tuple[bool, int]:
    if at >= len(body) or body[at] > 1:
        raise DecodeError(f"no boolean at byte {at}")
    return body[at] == 1, at + 1


def _option(inner: Any) -> Tuple[Encoder, Decoder]:
    encode_inner, decode_inner = _codec(inner)

    def write(value: Any, out: List[bytes]) -> None:
        out.append(b"\x00" if value is None else b"\x01")
        if value is not None:
            encode_inner(value, out)

    def read(body: bytes, at: int) -> Tuple[Any, int]:
        present, at = _decode_bool(body, at)
        return decode_inner(body, at) if present else (None, at)

    return write, read


def _list(item: Any) -> Tuple[Encoder, Decoder]:
    encode_item, decode_item = _codec(item)

    def write(values: List[Any], out: List[bytes]) -> None:
        out.append(_U64.pack(len(values)))
        for value in values:
            encode_item(value, out)

    def read(body: bytes, at: int) -> Tuple[List[Any], int]:
        count, at = _decode_length(body, at)
        values = []
        for _ in range(count):
            value, at = decode_item(body, at)
            values.append(value)
        return values, at

    return write, read


def _plain_enum(cls: Type[IntEnum]) -> Tuple[Encoder, Decoder]:
    write, read_number = _codec("u32")

    def read(body: bytes, at: int) -> Tuple[IntEnum, int]:
        index, end = read_number(body, at)
        try:
            return cls(index), end
        except ValueError:
            raise DecodeError(f"{cls.__name__} has no variant {index}") from None

    return write, read


def _struct(cls: Any) -> Tuple[Encoder, Decoder]:
    codecs = [_codec(annotation) for annotation in cls.__annotations__.values()]
    encoders = [encoder for encoder, _ in codecs]
    decoders = [decoder for _, decoder in codecs]

    def write(value: Any, out: List[bytes]) -> None:
        for encoder, field in zip(encoders, value):
            encoder(field, out)

    def read(body: bytes, at: int) -> Tuple[Any, int]:
        fields = []
        for decoder in decoders:
            field, at = decoder(body, at)
            fields.append(field)
        return cls._make(fields), at

    return write, read


def _enum(variants: Variants) -> Tuple[Encoder, Decoder]:
    heads = {cls: (_U32.pack(index), _codec(cls)[0]) for cls, index in variants.index.items()}
    decoders = [_codec(cls)[1] for cls in variants.classes]
    _, read_number = _codec("u32")

    def write(value: Any, out: List[bytes]) -> None:
        head, encoder = heads[type(value)]
        out.append(head)
        encoder(value, out)

    def read(body: bytes, at: int) -> Tuple[Any, int]:
        index, at = read_number(body, at)
        if index >= len(decoders):
            raise DecodeError(f"{variants.name} has no variant {index}")
        return decoders[index](body, at)

    return write, read
