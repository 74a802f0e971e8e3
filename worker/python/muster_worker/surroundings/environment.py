"""The environment variables, as Python and as child processes see them."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Set

from .aspect import GONE, Aspect

_putenv, _unsetenv = os.putenv, os.unsetenv


class Environment(Aspect):
    """Known by the names that were set or removed: to compare all of them after each run would cost more than that."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note
        self._environ = os.environ
        self._data: Dict[Any, Any] = vars(os.environ)["_data"]
        self._touched: Set[bytes] = set()
        self._watch()

    def _watch(self) -> None:
        # `os.environ` calls these two by name, and whoever goes past it calls them too.
        def putenv(name: Any, value: Any, /) -> None:
            _putenv(name, value)
            self._touched.add(os.fsencode(name))
            self._note("environment")

        def unsetenv(name: Any, /) -> None:
            self._touched.add(os.fsencode(name))
            self._note("environment")
            _unsetenv(name)

        putenv.__doc__, unsetenv.__doc__ = _putenv.__doc__, _unsetenv.__doc__
        os.putenv, os.unsetenv = putenv, unsetenv

    def read(self) -> Dict[Any, Any]:
        """The variables, as bytes."""
        return dict(self._data)

    def note(self) -> None:
        """From now on this is how it should be."""
        self._touched.clear()
        super().note()

    def own(self, name: str, value: str) -> None:
        """A variable of this very process, which every run finds."""
        key, data = os.fsencode(name), os.fsencode(value)
        _putenv(key, data)
        self._data[key] = self._noted[key] = data

    def put_back(self) -> None:
        """Makes the variables that were touched as they were noted."""
        if os.environ is not self._environ:
            vars(os)["environ"] = self._environ
        while self._touched:
            name = self._touched.pop()
            self.write(name, self._noted.get(name, GONE))

    def write(self, name: Any, value: Any) -> None:
        """Sets or removes one variable, also where Python does not see it."""
        if value is GONE:
            self._data.pop(name, None)
            _unsetenv(name)
        else:
            self._data[name] = value
            _putenv(name, value)
