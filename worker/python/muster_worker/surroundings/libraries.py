"""State that modules of the standard library, and numpy, keep for the whole process."""

from __future__ import annotations

import _locale
import decimal
import sys
from operator import attrgetter
from types import ModuleType
from typing import Any, Dict, List

from .. import on_import
from .aspect import Aspect

DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
of_context = attrgetter(*DECIMAL)
# Taken before the name is hidden: see `seldom`.
DEFAULT_CONTEXT = decimal.DefaultContext
_MODULES = ("asyncio.events", "urllib.request", "ssl", "multiprocessing.context", "multiprocessing.process")
_NAMES = ("loop", "opener", "https", "start_method", "process", "timeout", "locale", "traps", *DECIMAL)

# Taken before it is watched: to ask is no change.
_setlocale = _locale.setlocale


class Libraries(Aspect):
    """Of modules that nobody has imported, nothing is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._are_used = False
        """True once there is one of the modules that nothing but a look tells of."""
        for name in _MODULES:
            on_import.when_imported(name, self._note_use)

    def _note_use(self, _: ModuleType) -> None:
        self._are_used = True

    def glance(self) -> Any:
        """The same values as `read`, where somebody may have changed them."""
        modules = sys.modules
        return [
            *_asked(),
            modules["_socket"].getdefaulttimeout() if "_socket" in modules else None,
            _setlocale(_locale.LC_ALL, None) if "locale" in modules else None,
            dict(DEFAULT_CONTEXT.traps),
            *of_context(DEFAULT_CONTEXT),
        ]

    def are_as_noted(self) -> bool:
        """True when what neither is noted nor seen at a glance is as it was."""
        return not self._are_used or (self._mark is not None and bool(_asked() == self._mark[: len(_MODULES)]))

    def read(self) -> Dict[Any, Any]:
        """All the values as they are."""
        values = dict(zip(_NAMES, self.glance()))
        # Also before anybody can have changed it: one cannot ask later what it was.
        values["locale"] = _setlocale(_locale.LC_ALL, None)
        return values

    def write(self, name: Any, value: Any) -> None:
        """Puts one value back; one that was noted before its module was there is the module's default."""
        if name == "timeout" and "_socket" in sys.modules:
            sys.modules["_socket"].setdefaulttimeout(value)
        elif name == "locale":
            _setlocale(_locale.LC_ALL, value)
        elif name in DECIMAL:
            setattr(DEFAULT_CONTEXT, name, value)
        elif name == "traps":
            for signal, is_trapped in value.items():
                DEFAULT_CONTEXT.traps[signal] = is_trapped
        elif name == "opener" and "urllib.request" in sys.modules:
            vars(sys.modules["urllib.request"])["_opener"] = value
        elif name == "https" and "ssl" in sys.modules:
            # None was noted before anybody had imported it.
            ssl = vars(sys.modules["ssl"])
            ssl["_create_default_https_context"] = value or ssl["create_default_context"]
        elif name == "start_method" and "multiprocessing.context" in sys.modules:
            # It may be said once in the life of a process, and so by each run.
            sys.modules["multiprocessing.context"]._default_context._actual_context = value
        elif name == "process" and "multiprocessing.process" in sys.modules:
            # None was noted before anybody had imported it.
            sys.modules["multiprocessing.process"].current_process()._name = value or "MainProcess"
        elif name == "loop" and "asyncio.events" in sys.modules:
            _set_policy(sys.modules["asyncio.events"], *(value or (None, None, False)))


def _asked() -> List[Any]:
    """What nothing else tells of."""
    modules = sys.modules
    return [
        _policy(modules["asyncio.events"]) if "asyncio.events" in modules else None,
        _of_module("urllib.request", "_opener"),
        _of_module("ssl", "_create_default_https_context"),
        getattr(_of_module("multiprocessing.context", "_default_context"), "_actual_context", None),
        getattr(_of_module("multiprocessing.process", "_current_process"), "_name", None),
    ]


def _of_module(name: str, attribute: str) -> Any:
    """None also while the module is still being imported."""
    module = sys.modules.get(name)
    return None if module is None else vars(module).get(attribute)


def _policy(events: Any) -> List[Any]:
    """The policy, the loop it has for the main thread, and whether it was told one."""
    policy = vars(events).get("_event_loop_policy")
    local = getattr(policy, "_local", None)
    return [policy, getattr(local, "_loop", None), getattr(local, "_set_called", False)]


def _set_policy(events: Any, policy: Any, loop: Any, was_told: bool) -> None:
    """None is what a new process has; it makes a policy when one is asked for."""
    vars(events)["_event_loop_policy"] = policy
    local = getattr(policy, "_local", None)
    if local is not None:
        policy._local = type(local)()
        policy._local._loop, policy._local._set_called = loop, was_told
