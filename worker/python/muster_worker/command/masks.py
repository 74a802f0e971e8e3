"""Secrets in a recording: masked there, and put back for the replay with `--config KEY=VALUE`."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Set

MASK = "***"


def is_masked(value: Any) -> bool:
    """True when a mask stands somewhere in a JSON value."""
    return any(MASK in text for text in _texts(value))


class Masks:
    """The configuration values that the recording lacks."""

    def __init__(self, config: Dict[str, Any]) -> None:
        self._config = config
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
        return self._config[key]


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value but the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
