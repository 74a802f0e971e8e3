"""The files of the workflows folder that could not be loaded, and why; which of them did not come back."""

from __future__ import annotations

import sys
from typing import Dict, Optional

from .errors import LoadCrash, LoadTimeout, describe
from .sources import digest_at


class BrokenFiles:
    """By their paths."""

    def __init__(self) -> None:
        self.errors: Dict[str, BaseException] = {}
        self._slow: Dict[str, bytes] = {}
        """Those that did not come back, and their content."""

    def note(self, path: str, error: BaseException) -> None:
        """Says so on stderr, unless it was broken before."""
        if path not in self.errors:
            told = describe(error)
            print(f"{path} cannot be loaded: {told.kind}: {told.message}\n{told.stack}", file=sys.stderr)
        if isinstance(error, (LoadCrash, LoadTimeout)):
            self._slow[path] = digest_at(path)
        self.errors[path] = error

    def error_of(self, path: str) -> Optional[BaseException]:
        """None for a file that is not broken."""
        return self.errors.get(path)

    def forget(self, path: str) -> None:
        """It was loaded."""
        self.errors.pop(path, None)
        self._slow.pop(path, None)

    def is_worth_a_try(self, path: str) -> bool:
        """False for a file that did not come back and is as it was: whoever looks for another workflow cannot wait."""
        seen = self._slow.get(path)
        return seen is None or seen != digest_at(path)
