"""Imports as they happen: actions that wait for a module, and what is done around the first import of several."""

from __future__ import annotations

import os
import sys
import threading
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional

Action = Callable[[ModuleType], None]
Around = Callable[[Callable[[], None]], None]

_main = threading.main_thread().ident


class _Watch:
    """Asked before every other finder; what it finds, it finds by asking them."""

    def __init__(self) -> None:
        self.awaited: Dict[str, List[Action]] = {}
        self.around: Optional[Around] = None

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The import system's question."""
        around = self.around if threading.get_ident() == _main else None
        if around is None and name not in self.awaited:
            return None
        spec = self._ask_others(name, path, target)
        loader = getattr(spec, "loader", None)
        # Built-in and frozen modules are loaded by a class, which is there for all of them.
        if not isinstance(loader, type) and hasattr(loader, "exec_module"):
            _wrap(loader, name, around)
        return spec

    def _ask_others(self, name: str, path: Any, target: Any) -> Any:
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                return spec
        return None


def _wrap(loader: Any, name: str, around: Optional[Around]) -> None:
    """Has the module loaded as before, once, with what is to be done around it, and after it once it is there.

    Who only looks whether there is such a module loads none, and a first import may fail: what waits for it waits on.
    """
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        vars(loader).pop("exec_module", None)
        if around is None:
            execute(module)
        else:
            around(lambda: execute(module))
        for action in _watch.awaited.pop(name, []):
            action(module)

    loader.exec_module = exec_module


_watch = _Watch()


def install() -> bool:
    """Asks to be asked; False when that has been done."""
    if _watch in sys.meta_path:
        return False
    sys.meta_path.insert(0, _watch)
    return True


def when_imported(name: str, action: Action) -> None:
    """Does it with the module now, or when somebody imports it."""
    module = sys.modules.get(name)
    if module is not None:
        action(module)
    else:
        _watch.awaited.setdefault(name, []).append(action)


def is_elsewhere(name: str, folder: str, finder: Any) -> bool:
    """True when a finder other than this one has a module of that name, outside of the folder."""
    for one in list(sys.meta_path):
        find = None if one is finder or one is _watch else getattr(one, "find_spec", None)
        spec = None if find is None else find(name, None, None)
        # A folder without an `__init__.py` has no loader, and is nobody's in particular.
        if spec is not None and getattr(spec, "loader", None) is not None and spec.origin is not None:
            return not os.path.realpath(spec.origin).startswith(os.path.join(folder, ""))
    return False


def outermost(load: Callable[[], None]) -> None:
    """Loads a module with what is done around an import, for loaders that do not come from a finder."""
    around = _watch.around if threading.get_ident() == _main else None
    if around is None:
        load()
    else:
        around(load)


def around_imports(around: Optional[Around]) -> None:
    """What the main thread does around an import that is not part of another; the import itself is given to it."""
    _watch.around = around
