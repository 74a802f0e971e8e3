"""What the command line gives: parameters, code, configuration and state, from flags or files."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, List, Optional


def read_params(text: str) -> bytes:
    """`--params`: JSON, @FILE, or - for stdin."""
    where = "--params"
    if text == "-":
        text, where = sys.stdin.read(), "stdin"
    elif text.startswith("@"):
        where = text[1:]
        text = _read_text(where)
    _parse(text, where)
    return text.encode()


def read_code(path: Optional[str]) -> Optional[bytes]:
    """`--code`: the file's text, unchanged."""
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def read_entries(flag: str, given: List[str]) -> Dict[str, Any]:
    """`--config` and `--state`: KEY=VALUE, or @FILE with a JSON object. What comes later wins."""
    entries: Dict[str, Any] = {}
    for one in given:
        if one.startswith("@"):
            entries.update(_read_object(flag, one[1:]))
            continue
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise ValueError(f"{flag} {one!r}: write KEY=VALUE, or @FILE for a JSON object of entries")
        entries[key] = _json_or_text(value)
    return entries


def _read_object(flag: str, path: str) -> Dict[str, Any]:
    entries = _parse(_read_text(path), path)
    if not isinstance(entries, dict):
        raise ValueError(f'{flag} @{path}: the file must hold a JSON object, such as {{"region": "eu"}}')
    return entries


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from None


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON: {error}") from None
