"""The builtins: whoever replaces one does so for all code of the process, the SDK's own included.

To look at all of them would take as long as a short run, so the module says when one is set. Of what is written into
its dictionary a glance tells what is new, and whether those are others that are patched there, where any are.
"""

from __future__ import annotations

import builtins
from types import ModuleType
from typing import Any, Dict

from .aspect import GONE, Aspect

_live = vars(builtins)


class Builtins(Aspect):
    """Put back when the run is over, before any other code: that may need them."""

    def __init__(self) -> None:
        super().__init__()
        self.are_touched = False
        self._noted = _live.copy()
        self._watch()

    def read(self) -> Dict[Any, Any]:
        """All of them as they are."""
        return _live.copy()

    def note(self) -> None:
        """From now on this is how it should be."""
        self._noted = _live.copy()
        self.are_touched = False

    def put_back(self) -> None:
        """Makes them as they were noted. Written without any of them."""
        self.are_touched = False
        for name in _live.keys() - self._noted.keys():
            del _live[name]
        _live.update(self._noted)

    def adopt(self, before: Dict[Any, Any]) -> None:
        """What has changed since `before` is how it should be: a module did it that stays."""
        for name in [*before, *_live]:
            value = _live.get(name, GONE)
            if value is GONE:
                self._noted.pop(name, None)
            elif before.get(name, GONE) is not value:
                self._noted[name] = value

    def _watch(self) -> None:
        class Watched(ModuleType):
            def __setattr__(one, name: str, value: Any) -> None:
                self.are_touched = True
                _live[name] = value

            def __delattr__(one, name: str) -> None:
                self.are_touched = True
                try:
                    del _live[name]
                except KeyError:
                    raise AttributeError(name) from None

        Watched.__name__ = Watched.__qualname__ = "module"
        builtins.__class__ = Watched
