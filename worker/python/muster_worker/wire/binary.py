"""Messages as bytes: little-endian integers of fixed width, a u64 length before text and lists, a u32
before enums. The layout comes from the annotations in `messages`; one encoder and one decoder is built
per class, on first use.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List, Optional, Tuple, Union, get_args, get_origin

from .layout import DecodeError, Decoder, Encoder, decoder_of, encoder_of, no_boolean, no_variant, too_long
from .messages import Variants

__all__ = ["DecodeError", "decode", "encode"]

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_NUMBERS = {"u32": _U32, "u64": _U64}


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
    try:
        message, end = _codec(variants)[1](body, 0)
    except struct.error:
        raise DecodeError(f"the message breaks off at byte {len(body)}") from None
    except UnicodeDecodeError as error:
        raise DecodeError(f"a text is not UTF-8: {error}") from None
    if end != len(body):
        raise DecodeError(f"{type(message).__name__} ends after {end} of {len(body)} bytes")
    return message


_codecs: Dict[Any, Tuple[Encoder, Decoder]] = {}


def _codec(kind: Any) -> Tuple[Encoder, Decoder]:
    """The encoder and decoder of what has a layout of its own, built once."""
    try:
        return _codecs[kind]
    except KeyError:
        _codecs[kind] = made = _build(kind)
        return made


def _build(kind: Any) -> Tuple[Encoder, Decoder]:
    if isinstance(kind, Variants):
        return _enum(kind)
    if get_origin(kind) is list:
        return _list(get_args(kind)[0])
    if get_origin(kind) is Union:
        return _option(get_args(kind)[0])
    if kind is str:
        return _encode_text, _decode_text
    if hasattr(kind, "__metadata__"):
        return _number(_NUMBERS[kind.__metadata__[0]])
    if kind is bool:
        return _encode_bool, _decode_bool
    return encoder_of(kind, _codec), decoder_of(kind, _codec)


def _decode_length(body: bytes, at: int) -> Tuple[int, int]:
    length: int = _U64.unpack_from(body, at)[0]
    at += 8
    if length > len(body) - at:
        raise too_long(length, at)
    return length, at


def _encode_text(value: str, out: List[bytes]) -> None:
    data = value.encode("utf-8", "replace")
    out.append(_U64.pack(len(data)))
    out.append(data)


def _decode_text(body: bytes, at: int) -> Tuple[str, int]:
    length, at = _decode_length(body, at)
    return body[at : at + length].decode("utf-8"), at + length


def _encode_bool(value: bool, out: List[bytes]) -> None:
    out.append(b"\x01" if value else b"\x00")


def _decode_bool(body: bytes, at: int) -> Tuple[bool, int]:
    if at >= len(body) or body[at] > 1:
        raise no_boolean(at)
    return body[at] == 1, at + 1


def _number(layout: struct.Struct) -> Tuple[Encoder, Decoder]:
    def write(value: int, out: List[bytes]) -> None:
        out.append(layout.pack(value))

    def read(body: bytes, at: int) -> Tuple[int, int]:
        return layout.unpack_from(body, at)[0], at + layout.size

    return write, read


def _option(inner: Any) -> Tuple[Encoder, Decoder]:
    encode_inner, decode_inner = _codec(inner)

    def write(value: Any, out: List[bytes]) -> None:
        _encode_bool(value is not None, out)
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


def _enum(variants: Variants) -> Tuple[Encoder, Decoder]:
    heads = {cls: (_U32.pack(index), _codec(cls)[0]) for cls, index in variants.index.items()}
    decoders = [_codec(cls)[1] for cls in variants.classes]

    def write(value: Any, out: List[bytes]) -> None:
        head, encoder = heads[type(value)]
        out.append(head)
        encoder(value, out)

    def read(body: bytes, at: int) -> Tuple[Any, int]:
        index: int = _U32.unpack_from(body, at)[0]
        if index >= len(decoders):
            raise no_variant(variants.name, index)
        return decoders[index](body, at + 4)

    return write, read
