"""Registries of libraries: what is entered there by a call, and is asked for by whoever comes later.

Each is copied when a run first calls what changes it, so a run that enters nothing pays nothing. What a module enters
while it is imported stays, as the module does.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Callable, Dict, Tuple

from .. import on_import
from .entries import KEEPING, REGISTRIES, Registry, as_it_is


class Registries:
    """Made before any user code is loaded."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._before: Dict[Registry, Tuple[ModuleType, Any]] = {}
        """Those that were changed, as they were before."""
        for name in REGISTRIES:
            on_import.when_imported(name, self._watch)

    def note(self) -> None:
        """From now on this is how it should be."""
        self._before.clear()

    def put_back(self) -> None:
        """Makes all as they were."""
        while self._before:
            registry, (module, state) = self._before.popitem()
            registry.write(module, state)

    def set_aside(self) -> Dict[Registry, Tuple[ModuleType, Any]]:
        """Before an import: what the run has changed so far."""
        changed, self._before = self._before, {}
        return changed

    def take_back(self, changed: Dict[Registry, Tuple[ModuleType, Any]]) -> None:
        """After it: what the import has changed stays, also where the run had changed the same."""
        for registry, (module, before) in self._before.items():
            if registry in changed:
                _adopt(changed[registry][1], before, registry.read(module))
        self._before = changed

    def _watch(self, module: ModuleType) -> None:
        for registry in REGISTRIES[module.__name__]:
            for name in registry.functions:
                plain = vars(module).get(name)
                if plain is not None and (name != "register" or hasattr(module, "unregister")):
                    setattr(module, name, self._noting(module, registry, plain))

    def _noting(self, module: ModuleType, registry: Registry, plain: Callable[..., Any]) -> Callable[..., Any]:
        call = KEEPING.get(registry.functions, as_it_is)(plain)

        def noting(*arguments: Any, **keywords: Any) -> Any:
            if registry not in self._before:
                self._before[registry] = (module, registry.read(module))
                self._note(noting.__name__)
            return call(*arguments, **keywords)

        noting.__name__, noting.__doc__ = getattr(plain, "__name__", registry.functions[0]), plain.__doc__
        noting.__wrapped__ = plain  # type: ignore[attr-defined]
        return noting


def _adopt(kept: Any, before: Any, after: Any) -> None:
    """Enters into what is kept whatever was entered between before and after."""
    if not isinstance(kept, dict):
        return
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict) and isinstance(kept.get(name), dict):
            _adopt(kept[name], old, value)
        elif old is not value and old != value:
            kept[name] = value
