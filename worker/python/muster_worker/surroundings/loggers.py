"""`logging`: levels, handlers, filters and switches of the root logger and of every other."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import Any, Dict, List

from .aspect import GONE, Aspect

_switches = attrgetter("level", "propagate", "disabled")
_lists = attrgetter("handlers", "filters")
_NEW = {"level": logging.NOTSET, "propagate": True, "disabled": False, "handlers": (), "filters": ()}


class Loggers(Aspect):
    """Each attribute of each logger, the root's name being empty; of the module, and of the SDK's own handler."""

    def __init__(self, own: logging.Handler) -> None:
        super().__init__()
        self._own = own
        self._root = logging.getLogger()
        self._manager = self._root.manager
        self._known = 0
        self._loggers: List[logging.Logger] = []

    def glance(self) -> Any:
        """What decides about every logger, as fast as it can be had."""
        registered = self._manager.loggerDict
        if len(registered) != self._known:
            self._known = len(registered)
            self._loggers = [self._root, *(one for one in registered.values() if isinstance(one, logging.Logger))]
        loggers = self._loggers
        return [
            self._manager.disable,
            logging.raiseExceptions,
            self._own.level,
            self._own.filters[:],
            list(map(_switches, loggers)),
            # Copies of the lists: they are changed in place.
            [(handlers[:], filters[:]) for handlers, filters in map(_lists, loggers)],
        ]

    def read(self) -> Dict[Any, Any]:
        """Every attribute by the name of its logger and its own."""
        disable, raises, level, own_filters, switches, lists = self.glance()
        values: Dict[Any, Any] = {"disable": disable, "raises": raises, "own": [level, own_filters]}
        for logger, some, (handlers, filters) in zip(self._loggers, switches, lists):
            name = "" if logger is self._root else logger.name
            values.update(((name, key), value) for key, value in zip(_NEW, (*some, tuple(handlers), tuple(filters))))
        return values

    def write(self, name: Any, value: Any) -> None:
        """Puts one back; a logger that was not there is made as new."""
        if name == "disable":
            logging.disable(value)
        elif name == "raises":
            logging.raiseExceptions = value
        elif name == "own":
            self._own.level, self._own.filters[:] = value
        else:
            logger, key = logging.getLogger(name[0]), name[1]
            value = _NEW[key] if value is GONE else value
            if key == "level":
                logger.setLevel(value)
            else:
                setattr(logger, key, list(value) if isinstance(value, tuple) else value)
