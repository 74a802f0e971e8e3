"""The workflows folder as Python modules, and when they are stale.

Files are compared by content. A changed file, and everything in the folder that imports it, is loaded
anew before the next execution that needs it; byte code caches play no part (they go by the second).
Extension modules stay as they are: the worker asks to be replaced instead.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Dict, List, Optional, Set

from . import hooks, on_import
from .importing import STANDARD, Finder, Loader, watch_import_module
from .sources import SourceFile, Stamp, imports_of, mentions_sdk, prefixes, stamp_of

OWN = "muster_workflows"
"""The package that every module of the folder can be imported from, whatever else has its name."""


class Library:
    """All modules of one workflows folder."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.files: Dict[str, SourceFile] = {}
        self.recycle_wanted = False
        self._extensions: Dict[str, Stamp] = {}
        self._closures: Dict[str, List[str]] = {}
        self._version = 0
        self._fresh: Dict[str, int] = {}
        """In which version of it all a file was seen to be built from what is there."""
        self._closures_version = -1
        self._installed: Dict[str, bool] = {}
        own = sys.modules[OWN] = ModuleType(OWN)
        own.__path__ = [self.root]
        self._finder = Finder(self)
        sys.meta_path.insert(0, self._finder)
        watch_import_module(self)
        # For children of multiprocessing's spawn, which get sys.path and nothing else from us.
        if self.root not in sys.path:
            sys.path.append(self.root)

    def is_installed(self, name: str) -> bool:
        """True when a top-level name leads to a module outside of the folder."""
        known = self._installed.get(name)
        if known is None:
            self._installed[name] = known = on_import.is_elsewhere(name, self.root, self._finder)
            if known:
                self._warn_of(name)
        return known

    def _warn_of(self, name: str) -> None:
        """Says so of a helper, which is there to be imported; a workflow file rarely is."""
        for path in (os.path.join(self.root, f"{name}.py"), os.path.join(self.root, name, "__init__.py")):
            if os.path.isfile(path) and not mentions_sdk(path):
                text = f"has the name of an installed module, which is what `import {name}` finds"
                print(f"{path} {text}; write `import {OWN}.{name}`, or rename it", file=sys.stderr)

    def module(self, path: str) -> ModuleType:
        """The module of a file, loaded or reloaded if it or a helper of it changed."""
        current = self.current(path)
        if current is not None:
            return current
        self._forget_stale(path)
        module = self._load(path)
        # A file that is new may have found a helper that was loaded for others, and is not as it was.
        if path in self.files and self.current(path) is None:
            self._forget_stale(path)
            return self._load(path)
        return module

    def _forget_stale(self, path: str) -> None:
        """Drops the file, what has changed of what it imports, and what was built from anything else than is there now."""
        closure = [one for one in self._closure(path) if one in self.files]
        changed = {one for one in closure if self.files[one].changed(one)}
        # All of it is found out first: what a file imports is known by what is still there.
        stale = {one for one in closure if changed.intersection(self._closure(one)) or not self._is_fresh(one)}
        for one in stale.union({path}.intersection(self.files)):
            self.forget(one)

    def current(self, path: str) -> Optional[ModuleType]:
        """The module of a file, if it is loaded and neither it nor a helper of it has changed."""
        file = self.files.get(path)
        if file is None:
            return None
        if self._fresh.get(path) != self._version:
            if not all(map(self._is_fresh, self._closure(path))):
                return None
            self._fresh[path] = self._version
        for one in self._closure(path):
            if self.files[one].changed(one):
                return None
        return sys.modules.get(file.module)

    def _is_fresh(self, path: str) -> bool:
        """False for a file that was built from another version of a helper than there is, or from one that is gone."""
        files = self.files
        return all(one in files and files[one].digest == digest for one, digest in files[path].built_from.items())

    def built(self, path: str) -> None:
        """Called for every source file of the folder when its code has been run."""
        file = self.files.get(path)
        if file is not None:
            file.built_from = {one: self.files[one].digest for one in self._closure(path)}

    def note_import(self, importer: Optional[str], name: str) -> None:
        """Called when code asks for a module by a name that its source does not show."""
        file = self.files.get(importer or "")
        if file is not None and name not in file.imports:
            file.imports.update(prefixes(name))
            self._version += 1
            known = next((one for one, other in self.files.items() if other.module == name), None)
            if known is not None and self.current(known) is None:
                self._forget_stale(known)

    def changed(self, path: str) -> bool:
        """True for a file that is new or not as it was loaded."""
        return path not in self.files or self.files[path].changed(path)

    def note(self, module: str, path: str, stamp: Stamp, data: bytes) -> None:
        """Called for every source file of the folder that is loaded."""
        within = f"{module}.__init__" if path.endswith("__init__.py") else module
        self.files[path] = SourceFile(module, stamp, data, imports_of(within, data) - {module})
        self._version += 1

    def note_extension(self, path: str) -> None:
        """Called for every extension module of the folder that is loaded."""
        self._extensions.setdefault(path, stamp_of(path))

    def check_extensions(self) -> None:
        """A changed extension module cannot be loaded anew; only a new process can have it."""
        for path, stamp in self._extensions.items():
            try:
                self.recycle_wanted |= stamp_of(path) != stamp
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
        return self._import(name, path)

    def _import(self, name: str, path: str) -> ModuleType:
        top = name.split(".")[0]
        plain = all(part.isidentifier() or "-" in part for part in name.split("."))
        if plain and top not in STANDARD and not self.is_installed(top):
            module = importlib.import_module(name)
            if getattr(module, "__file__", None) == path:
                return module
        # Another module owns the name (a workflow file called email.py, say): it gets one of its own.
        name = f"{OWN}.{name}"
        if plain:
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(name, path, loader=Loader(name, path, self))
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
        # It was loaded to stay, and is garbage from here on: see `surroundings.garbage`.
        gc.unfreeze()
        sys.modules.pop(file.module, None)
        hooks.forget(file.module)
        parent, _, child = file.module.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], child):
            delattr(sys.modules[parent], child)

    def reach(self, path: str) -> Set[str]:
        """The file's module, the modules that it imports, and those that these import in the folder."""
        files = [self.files[one] for one in self._closure(path) if one in self.files]
        return {one.module for one in files}.union(*(one.imports for one in files))

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
