"""Secrets in a recording: masked there, and put back for the replay with `--config KEY=VALUE`.

What was put back is masked again in what the run does, before that is compared with what it did.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Set

MASK = "***"
_SECRET_MIN_BYTES = 4
"""Supervisors mask nothing shorter."""


def is_masked(value: Any) -> bool:
    """True when a mask stands somewhere in a JSON value."""
    return any(MASK in text for text in _texts(value))


class Masks:
    """The configuration values that the recording lacks."""

    def __init__(self, config: Dict[str, Any]) -> None:
        self._config = config
        self._secrets: List[str] = []
        self.missing: Set[str] = set()
        self.unused: Set[str] = set(config)

    def put_back(self, key: str, value: Any) -> Any:
        """The value of a configuration key as the replay sees it."""
        if not is_masked(value):
            return value
        if key not in self._config:
            self.missing.add(key)
            return value
        self.unused.discard(key)
        found = {one for one in _texts(self._config[key]) if len(one.encode()) >= _SECRET_MIN_BYTES}
        # The longest first, so that one that contains another is masked whole.
        self._secrets = sorted(found.union(self._secrets), key=lambda one: (-len(one), one))
        return self._config[key]

    def text(self, text: str) -> str:
        """The text with every value that was put back masked again."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """The same for every text of a JSON value."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(one) for key, one in value.items()}
        return value


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value but the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
