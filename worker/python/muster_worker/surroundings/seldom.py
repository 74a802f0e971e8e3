"""What hardly any run changes, and what takes long to look at: looked at once somebody has done what comes before a change.

Nothing tells that an attribute of `decimal.DefaultContext` was set, but whoever sets one has asked the module for it. And
hooks of asynchronous generators are set by every event loop, which puts them back at its end.
"""

from __future__ import annotations

import decimal
import sys
from typing import Any, Callable

from .libraries import DEFAULT_CONTEXT, of_context

_NAME = "DefaultContext"
_asyncgen_hooks = sys.get_asyncgen_hooks


class Seldom:
    """Made once, before any user code is loaded."""

    def __init__(self) -> None:
        self.may_differ = False
        """False when nobody can have changed any of it."""
        self._context_is_known = False
        self._watch_hooks()
        self._watch_context()
        self.note()

    def note(self) -> None:
        """From now on this is how it should be."""
        self._hooks, self._context = _asyncgen_hooks(), DEFAULT_CONTEXT.copy()
        self.may_differ = self._context_is_known

    def is_as_noted(self) -> bool:
        """True when none of it has changed."""
        if _asyncgen_hooks() != self._hooks or of_context(DEFAULT_CONTEXT) != of_context(self._context):
            return False
        is_same: bool = DEFAULT_CONTEXT.traps == self._context.traps
        self.may_differ = self._context_is_known or not is_same
        return is_same

    def _watch_hooks(self) -> None:
        plain: Callable[..., None] = sys.set_asyncgen_hooks

        def set_asyncgen_hooks(*arguments: Any, **keywords: Any) -> None:
            self.may_differ = True
            plain(*arguments, **keywords)

        set_asyncgen_hooks.__doc__ = plain.__doc__
        sys.set_asyncgen_hooks = set_asyncgen_hooks

    def _watch_context(self) -> None:
        """Takes the name out of the modules, which then ask for it here; it is there again once somebody has."""
        modules = [module for name, module in sys.modules.items() if name in ("decimal", "_decimal")]
        if len(modules) != 2:
            # Python's own decimal, in place of the one in C, has its default from the module as others do.
            self._context_is_known = True
            return

        def hand_out() -> decimal.Context:
            self._context_is_known = self.may_differ = True
            for module in modules:
                vars(module)[_NAME] = DEFAULT_CONTEXT
            return DEFAULT_CONTEXT

        for module in modules:
            _hide(module, hand_out)


def _hide(module: Any, hand_out: Callable[[], Any]) -> None:
    """`from decimal import *` and `dir` go by lists of names, and find this one in them."""
    public, listed = [name for name in vars(module) if not name.startswith("_")], dir(module)

    def attribute(name: str) -> Any:
        if name == _NAME:
            return hand_out()
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    vars(module).update(__all__=public, __dir__=lambda: listed, __getattr__=attribute)
    del vars(module)[_NAME]
