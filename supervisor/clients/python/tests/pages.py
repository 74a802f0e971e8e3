"""The blocks of code of a page, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, NamedTuple

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code: its language, the words behind that, the code, and the line it begins on."""

    language: str
    words: list[str]
    code: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    """Every block that names its language."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found[1], found[2].split(), found[3], line)
