"""One aspect of the process that user code may change, and that is put back."""

from __future__ import annotations

from typing import Any, Dict

GONE = object()
"""Stands for the value of a name that was not there."""


class CannotPutBack(Exception):
    """Only a new process has it as it was; the message says what."""


class Aspect:
    """Values by name. What they are and how they are read and written is for the aspects themselves."""

    def __init__(self) -> None:
        self._noted: Dict[Any, Any] = {}
        self._mark: Any = None

    def read(self) -> Dict[Any, Any]:
        """All the values as they are."""
        raise NotImplementedError

    def write(self, name: Any, value: Any) -> None:
        """Puts one value back; GONE for what was not there."""
        raise NotImplementedError

    def glance(self) -> Any:
        """Something cheap that is another whenever a value is. Asked after every run."""
        return self.read()

    def note(self) -> None:
        """From now on this is how it should be."""
        self._noted = self.read()
        self._mark = self.glance()

    def put_back(self) -> None:
        """Makes it as it was noted."""
        if self.glance() == self._mark:
            return
        for name, (_, wanted) in _differences(self.read(), self._noted).items():
            self.write(name, wanted)
        self._mark = self.glance()

    def adopt(self, before: Dict[Any, Any]) -> None:
        """What has changed since `before` is how it should be: a module did it that stays."""
        for name, (old, new) in _differences(before, self.read()).items():
            if new is GONE:
                self._noted.pop(name, None)
            elif isinstance(new, tuple) and isinstance(old, tuple):
                # Of a list only what was added: what is there already may be the run's.
                added = tuple(one for one in new if one not in old)
                self._noted[name] = added + self._noted.get(name, ())
            else:
                self._noted[name] = new
        # Not what `glance` sees now, for the run may have made changes of its own.
        self._mark = None


def _differences(ones: Dict[Any, Any], others: Dict[Any, Any]) -> Dict[Any, Any]:
    return {
        name: (ones.get(name, GONE), others.get(name, GONE))
        for name in [*ones, *(one for one in others if one not in ones)]
        if ones.get(name, GONE) != others.get(name, GONE)
    }
