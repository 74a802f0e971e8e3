"""The workflows folder as Python modules, and when they are stale.

Files are compared by content. A changed file, and everything in the folder that imports it, is loaded
anew before the next execution that needs it; byte code caches play no part (they go by the second).
Extension modules stay as they are: the worker asks to be replaced instead.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import time
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

_RACY_NS = 100_000_000
_EXTENSIONS = tuple(importlib.machinery.EXTENSION_SUFFIXES)

Stamp = Tuple[int, int, int, int]


def _standard_names() -> Set[str]:
    """The standard library's top-level modules; Python 3.9 does not know them, but its folder does."""
    known = getattr(sys, "stdlib_module_names", None)
    if known is not None:
        return set(known)
    return {one.partition(".")[0] for one in os.listdir(os.path.dirname(os.__file__))}.union(sys.builtin_module_names)


_STANDARD = _standard_names()


class SourceFile:
    """A file of the folder as it was when it was loaded."""

    def __init__(self, module: str, stamp: Stamp, data: bytes, imports: Set[str]) -> None:
        self.module = module
        self.stamp = stamp
        self.digest = _digest(data)
        # Files written in the moment before we read them may change again within one tick of the
        # file system's clock; only later does an equal stamp mean equal content.
        self.racy = time.time_ns() - stamp[0] < _RACY_NS
        self.imports = imports
        self.built_from: Dict[str, bytes] = {}


class Library:
    """All modules of one workflows folder."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.files: Dict[str, SourceFile] = {}
        self.recycle_wanted = False
        self._extensions: Dict[str, Stamp] = {}
        self._closures: Dict[str, List[str]] = {}
        self._version = 0
        self._closures_version = -1
        sys.meta_path.insert(0, _Finder(self))
        # For children of multiprocessing's spawn, which get sys.path and nothing else from us.
        if self.root not in sys.path:
            sys.path.append(self.root)

    def module(self, path: str) -> ModuleType:
        """The module of a file, loaded or reloaded if it or a helper of it changed."""
        file = self.files.get(path)
        if file is None or file.module not in sys.modules:
            return self._load(path)
        closure = self._closure(path)
        changed = {one for one in closure if self._changed(one)}
        # A helper may be current by now and still not be the one this file was built with.
        stale = changed | {one for one in closure if file.built_from.get(one) not in (None, self.files[one].digest)}
        if not stale:
            return sys.modules[file.module]
        for one in closure:
            if one in changed or one == path or stale.intersection(self._closure(one)[1:]):
                self.forget(one)
        return self._load(path)

    def changed(self, path: str) -> bool:
        """True for a file that is new or not as it was loaded."""
        return path not in self.files or self._changed(path)

    def note(self, module: str, path: str, stamp: Stamp, data: bytes) -> None:
        """Called for every source file of the folder that is loaded."""
        within = f"{module}.__init__" if path.endswith("__init__.py") else module
        self.files[path] = SourceFile(module, stamp, data, _imports_of(within, data) - {module})
        self._version += 1

    def note_extension(self, path: str) -> None:
        """Called for every extension module of the folder that is loaded."""
        self._extensions.setdefault(path, _stamp(path))

    def check_extensions(self) -> None:
        """A changed extension module cannot be loaded anew; only a new process can have it."""
        for path, stamp in self._extensions.items():
            try:
                self.recycle_wanted |= _stamp(path) != stamp
            except OSError:
                self.recycle_wanted = True

    def module_name(self, path: str) -> str:
        """The dotted name of a file of the folder."""
        relative = os.path.relpath(path, self.root)[: -len(".py")]
        parts = relative.split(os.sep)
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join(parts)

    def _load(self, path: str) -> ModuleType:
        importlib.invalidate_caches()
        name = self.module_name(path)
        module = self._import(name, path)
        file = self.files.get(path)
        if file is not None:
            file.built_from = {one: self.files[one].digest for one in self._closure(path)}
        return module

    def _import(self, name: str, path: str) -> ModuleType:
        if all(part.isidentifier() or "-" in part for part in name.split(".")) and name.split(".")[0] not in _STANDARD:
            module = importlib.import_module(name)
            if getattr(module, "__file__", None) == path:
                return module
        # Another module owns the name (a workflow file called email.py, say): it gets one of its own.
        name = f"muster_workflows.{name}"
        spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, path, self))
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        return module

    def forget(self, path: str) -> None:
        """Drops the module, so that the next import loads it anew."""
        file = self.files.pop(path, None)
        self._version += 1
        if file is None:
            return
        sys.modules.pop(file.module, None)
        parent, _, child = file.module.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], child):
            delattr(sys.modules[parent], child)

    def _changed(self, path: str) -> bool:
        file = self.files[path]
        try:
            stamp = _stamp(path)
            if stamp == file.stamp and not file.racy:
                return False
            with open(path, "rb") as source:
                data = source.read()
        except OSError:
            return True
        if _digest(data) != file.digest:
            return True
        file.stamp = stamp
        file.racy = time.time_ns() - stamp[0] < _RACY_NS
        return False

    def _closure(self, path: str) -> List[str]:
        """The file and, transitively, the files of the folder that it imports."""
        if self._closures_version != self._version:
            self._closures.clear()
            self._closures_version = self._version
        known = self._closures.get(path)
        if known is not None:
            return known
        by_module = {file.module: one for one, file in self.files.items()}
        found: List[str] = [path]
        for one in found:
            if one in self.files:
                reached = (by_module[name] for name in self.files[one].imports if name in by_module)
                found.extend(other for other in reached if other not in found)
        self._closures[path] = found
        return found


class _Finder:
    """Finds the folder's modules before anything installed, but never in place of the standard library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def find_spec(self, name: str, path: Optional[Sequence[str]], target: Any = None) -> Any:
        """The import system's question."""
        top_level = path is None
        if top_level and name in _STANDARD:
            return None
        inside = os.path.join(self._library.root, "")
        for folder in [self._library.root] if path is None else list(path):
            if folder != self._library.root and not folder.startswith(inside):
                continue
            spec = self._find_in(folder, name, top_level)
            if spec is not None:
                return spec
        return None

    def invalidate_caches(self) -> None:
        """Nothing is cached here."""

    def _find_in(self, folder: str, name: str, top_level: bool) -> Any:
        base = os.path.join(folder, name.rpartition(".")[2])
        package = os.path.join(base, "__init__.py")
        if os.path.isfile(package):
            loader = _Loader(name, package, self._library)
            return importlib.util.spec_from_file_location(
                name, package, loader=loader, submodule_search_locations=[base]
            )
        if os.path.isfile(base + ".py"):
            loader = _Loader(name, base + ".py", self._library)
            return importlib.util.spec_from_file_location(name, base + ".py", loader=loader)
        for suffix in _EXTENSIONS:
            if os.path.isfile(base + suffix):
                self._library.note_extension(base + suffix)
                return importlib.util.spec_from_file_location(name, base + suffix)
        if os.path.isdir(base) and not (top_level and importlib.machinery.PathFinder.find_spec(name)):
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [base]
            return spec
        return None


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads source and nothing but source, and tells the library what it read."""

    def __init__(self, name: str, path: str, library: Library) -> None:
        super().__init__(name, path)
        self._library = library

    def path_stats(self, path: Any) -> Any:
        """Refused, so that no byte code cache is read or written."""
        raise OSError("no byte code cache in the workflows folder")

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module's code, marked as the user's: a cancel may break into it."""
        vars(module)["__muster_user_code__"] = True
        try:
            super().exec_module(module)
        except BaseException:
            self._library.forget(self.path)
            raise

    def get_data(self, path: Any) -> bytes:
        """The file, noted as it is read."""
        stamp = _stamp(path)
        data = super().get_data(path)
        self._library.note(self.name, str(path), stamp, data)
        return data


def _stamp(path: str) -> Stamp:
    status = os.stat(path)
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _imports_of(module: str, data: bytes) -> Set[str]:
    """Every module name the source may import, at the top or inside a function."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    names: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.update(_prefixes(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node.level, node.module or "")
            names.update(_prefixes(base))
            names.update(f"{base}.{alias.name}" if base else alias.name for alias in node.names)
    return names


def _absolute(module: str, level: int, name: str) -> str:
    if level == 0:
        return name
    package = module.split(".")[:-level]
    return ".".join([*package, name] if name else package)


def _prefixes(name: str) -> List[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
