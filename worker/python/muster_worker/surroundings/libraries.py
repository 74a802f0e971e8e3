"""State that modules of the standard library, and numpy, keep for the whole process."""

from __future__ import annotations

import _locale
import decimal
import sys
from typing import Any, Dict, List

from .aspect import Aspect

# Taken before it is watched: to ask is no change.
_setlocale = _locale.setlocale


class Libraries(Aspect):
    """Of modules that nobody has imported, nothing is asked."""

    def glance(self) -> Any:
        """The same values as `read`, where somebody may have changed them."""
        modules = sys.modules
        return [
            modules["_socket"].getdefaulttimeout() if "_socket" in modules else None,
            _setlocale(_locale.LC_ALL, None) if "locale" in modules else None,
            _policy(modules["asyncio.events"]) if "asyncio.events" in modules else None,
            decimal.DefaultContext.prec,
            decimal.DefaultContext.rounding,
        ]

    def are_as_noted(self) -> bool:
        """True when the loop is the one that was noted: the rest is noted, or seen at a glance."""
        return "asyncio.events" not in sys.modules or bool(self.glance() == self._mark)

    def read(self) -> Dict[Any, Any]:
        """All the values as they are."""
        values = dict(zip(("timeout", "locale", "loop", "prec", "rounding"), self.glance()))
        # Also before anybody can have changed it: one cannot ask later what it was.
        values["locale"] = _setlocale(_locale.LC_ALL, None)
        return values

    def write(self, name: Any, value: Any) -> None:
        """Puts one value back; one that was noted before its module was there is the module's default."""
        if name == "timeout" and "_socket" in sys.modules:
            sys.modules["_socket"].setdefaulttimeout(value)
        elif name == "locale":
            _setlocale(_locale.LC_ALL, value)
        elif name in ("prec", "rounding"):
            setattr(decimal.DefaultContext, name, value)
        elif name == "loop" and "asyncio.events" in sys.modules:
            _set_policy(sys.modules["asyncio.events"], *(value or (None, None, False)))


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
