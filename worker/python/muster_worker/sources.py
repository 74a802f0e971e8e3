"""One source file of the workflows folder as it was when it was loaded: its content, and what it imports."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import time
from typing import Dict, Iterator, List, Set, Tuple

_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
_RACY_NS = 100_000_000
_MENTION = re.compile(rb"\bmuster_worker\b")

Stamp = Tuple[int, int, int, int]


class SourceFile:
    """A file of the folder as it was when it was loaded."""

    def __init__(self, module: str, stamp: Stamp, data: bytes, imports: Set[str]) -> None:
        self.module = module
        self.digest = _digest_of(data)
        self.imports = imports
        self.built_from: Dict[str, bytes] = {}
        """The contents of all files that its module was built with."""
        self._note(stamp)

    def changed(self, path: str) -> bool:
        """True when the file at that path has another content by now."""
        try:
            stamp = stamp_of(path)
            if stamp == self._stamp and not self._is_racy:
                return False
            with open(path, "rb") as source:
                data = source.read()
        except OSError:
            return True
        if _digest_of(data) != self.digest:
            return True
        self._note(stamp)
        return False

    def _note(self, stamp: Stamp) -> None:
        self._stamp = stamp
        # Files written in the moment before we read them may change again within one tick of the
        # file system's clock; only later does an equal stamp mean equal content.
        self._is_racy = time.time_ns() - stamp[0] < _RACY_NS


def stamp_of(path: str) -> Stamp:
    """What changes when the file does, and costs no read."""
    status = os.stat(path)
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _digest_of(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def imports_of(module: str, data: bytes) -> Set[str]:
    """Every module name the source may import, at the top or inside a function."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    names: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.update(prefixes(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node.level, node.module or "")
            names.update(prefixes(base))
            names.update(f"{base}.{alias.name}" if base else alias.name for alias in node.names)
    return names


def _absolute(module: str, level: int, name: str) -> str:
    if level == 0:
        return name
    package = module.split(".")[:-level]
    return ".".join([*package, name] if name else package)


def prefixes(name: str) -> List[str]:
    """The module's name, and those of the packages that it is in."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def mentions_sdk(path: str) -> bool:
    """Only files that import the SDK can define workflows; the others are helpers, loaded when imported."""
    try:
        with open(path, "rb") as source:
            return _MENTION.search(source.read()) is not None
    except OSError:
        return False


def python_files(root: str) -> Iterator[str]:
    """Every source file of the folder, in an order that does not change; a link that leads out of it is none."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one not in _SKIPPED_FOLDERS and not one.startswith("."))
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".py") and not name.startswith(".") and not leads_out(root, path):
                yield path


def leads_out(root: str, path: str) -> bool:
    """True for a link to what is not below the folder, which is given without links."""
    return os.path.islink(path) and not os.path.realpath(path).startswith(os.path.join(root, ""))


def digest_at(path: str) -> bytes:
    """What tells whether the file at that path has changed."""
    try:
        with open(path, "rb") as source:
            return _digest_of(source.read())
    except OSError:
        return b""


def may_hold(path: str, workflow: str) -> bool:
    """True when the name of the workflow stands in the file."""
    try:
        with open(path, "rb") as source:
            return re.search(rb"\b" + re.escape(workflow.encode()) + rb"\b", source.read()) is not None
    except OSError:
        return False
