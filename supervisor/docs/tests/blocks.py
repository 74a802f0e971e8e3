"""The blocks of code of a page, and what a test is to do with each.

A block is fenced and names its language; words behind that say what it is:

    file=PATH      it is this file of the page's folder; blocks after it use it
    serve          commands that go on while the page is run: a supervisor, an application
    pytest, test   a file of tests, run by pytest or `node --test`
    before         what a reader has before he follows the page: only read
    eventually      a state that comes about: its commands are asked again until they print what is shown
    settings, definitions   TOML that a supervisor must take as such

`<!-- not run: REASON -->` above a block says why no test runs it. `<!-- LANGUAGE WORDS` opens a block that is run and not
shown: what the page takes for granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: Blocks in these are for people: diagrams and what something printed.
PROSE = {"text"}
CODE = {"sh", "console", "python", "js", "toml", "json", "rust"}
WORDS = {"serve", "pytest", "test", "before", "settings", "definitions", "eventually"}

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`]*)$")
_HIDDEN = re.compile(r"^<!-- (?P<info>(?:sh|python|js|toml)\b.*)$")
_NOT_RUN = re.compile(r"^<!-- not run: (?P<reason>.+) -->$")


@dataclass
class Block:
    """A block: where its code begins, its language, its words, and why it is not run."""

    page: str
    line: int
    language: str
    words: list[str]
    code: str
    reason: str | None = None
    hidden: bool = False
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """For messages: the page and the line."""
        return f"{self.page}:{self.line}"


def blocks_of(page: Path, name: str) -> Iterator[Block]:
    """All blocks of a page, in their order, hidden ones too."""
    lines = page.read_text().split("\n")
    at, reason = 0, None
    while at < len(lines):
        line = lines[at]
        fence, hidden = _FENCE.match(line), _HIDDEN.match(line)
        at += 1
        if not (fence or hidden):
            if found := _NOT_RUN.match(line):
                reason = found["reason"]
            elif line.strip():
                reason = None
            continue
        closing = f"{fence['indent']}```" if fence else "-->"
        begin = at
        while lines[at] != closing:
            at += 1
        info = (fence or hidden)["info"].split()  # type: ignore[index]
        indent = len(fence["indent"]) if fence else 0
        code = "".join(f"{one[indent:]}\n" for one in lines[begin:at])
        at += 1
        words = [word for word in info[1:] if "=" not in word]
        options = dict(word.split("=", 1) for word in info[1:] if "=" in word)
        yield Block(name, begin + 1, info[0] if info else "", words, code, reason, hidden is not None, options)
        reason = None


def indented(page: Path) -> Iterator[int]:
    """The lines where code is indented in place of fenced, so that nothing says what it is."""
    fenced = False
    before = ""
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.startswith("    ") and not before.strip():
            yield number
        before = line if line.strip() and not line.startswith("    ") else before if line.startswith("    ") else ""
