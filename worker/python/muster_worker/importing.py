"""How modules of the workflows folder are found and loaded: from source only, and each load is noted."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Optional, Sequence, Set

from . import hooks, on_import, user_code
from .sources import stamp_of

if TYPE_CHECKING:
    from .loading import Library

_EXTENSIONS = tuple(importlib.machinery.EXTENSION_SUFFIXES)


def _standard_names() -> Set[str]:
    """The standard library's top-level modules; Python 3.9 does not know them, but its folder does."""
    known = getattr(sys, "stdlib_module_names", None)
    if known is not None:
        return set(known)
    return {one.partition(".")[0] for one in os.listdir(os.path.dirname(os.__file__))}.union(sys.builtin_module_names)


STANDARD = _standard_names()


class Finder:
    """Finds the folder's modules, but never in place of what is installed: one file would break all that import it."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def find_spec(self, name: str, path: Optional[Sequence[str]], target: Any = None) -> Any:
        """The import system's question."""
        top_level = path is None
        if top_level and (name in STANDARD or self._library.is_installed(name)):
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
            loader = Loader(name, package, self._library)
            return importlib.util.spec_from_file_location(
                name, package, loader=loader, submodule_search_locations=[base]
            )
        if os.path.isfile(base + ".py"):
            loader = Loader(name, base + ".py", self._library)
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


def watch_import_module(library: Library) -> None:
    """Has the library told of what is imported by `importlib.import_module`: the source need not show its name."""
    plain = getattr(importlib.import_module, "__wrapped__", importlib.import_module)

    @functools.wraps(plain)
    def import_module(name: str, package: Optional[str] = None) -> ModuleType:
        absolute = importlib.util.resolve_name(name, package) if name.startswith(".") and package else name
        library.note_import(sys._getframe(1).f_globals.get("__file__"), absolute)
        module: ModuleType = plain(name, package)
        return module

    importlib.import_module = import_module


class Loader(importlib.machinery.SourceFileLoader):
    """Loads source and nothing but source, and tells the library what it read."""

    def __init__(self, name: str, path: str, library: Library) -> None:
        super().__init__(name, path)
        self._library = library

    def path_stats(self, path: Any) -> Any:
        """Refused, so that no byte code cache is read or written."""
        raise OSError("no byte code cache in the workflows folder")

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module's code, marked as the user's: a cancel may break into it."""
        user_code.mark(module)
        hooks.forget(module.__name__)
        execute = super().exec_module
        try:
            on_import.outermost(lambda: execute(module))
        except BaseException:
            hooks.forget(module.__name__)
            self._library.forget(self.path)
            raise
        self._library.built(self.path)

    def get_data(self, path: Any) -> bytes:
        """The file, noted as it is read."""
        stamp = stamp_of(path)
        data = super().get_data(path)
        self._library.note(self.name, str(path), stamp, data)
        return data
