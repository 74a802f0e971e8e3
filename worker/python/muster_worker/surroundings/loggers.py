"""`logging`: levels, handlers, filters and switches of the root logger and of every other."""

from __future__ import annotations

import logging
from operator import attrgetter, itemgetter
from typing import Any, Callable, Dict, List

from .aspect import GONE, Aspect

def _noting(plain: Any, note: Callable[[str], None]) -> Any:
    def method(filterer: logging.Filterer, filter: Any) -> None:
        note("filter")
        plain(filterer, filter)

    method.__name__, method.__doc__ = plain.__name__, plain.__doc__
    return method


_MODULE = ("raiseExceptions", "lastResort", "_logRecordFactory", "_loggerClass")
of_module = itemgetter(*_MODULE)
_NAMES: List[Dict[Any, Any]] = [vars(logging)["_levelToName"], vars(logging)["_nameToLevel"]]
_switches = attrgetter("level", "propagate", "disabled")
_lists = attrgetter("handlers", "filters")
_of_logger, _of_handler = itemgetter("handlers", "filters"), itemgetter("level", "filters")
_NEW = {"level": logging.NOTSET, "propagate": True, "disabled": False, "handlers": (), "filters": ()}


class Loggers(Aspect):
    """Each attribute of each logger, the root's name being empty; of the module, and of the SDK's own handler."""

    def __init__(self, own: logging.Handler, note: Callable[[str], None]) -> None:
        super().__init__()
        self._own = own
        self._root = logging.getLogger()
        self._manager = self._root.manager
        self._of_manager = vars(self._manager)
        self._known = 0
        self._disabled: Any = None
        self._loggers: List[logging.Logger] = []
        self._of_root, self._of_own = vars(self._root), vars(own)
        """What every record passes is looked at whole: whoever replaces it there need not set an attribute."""
        self._passed: Any = None
        self._lists: List[List[Any]] = []
        """The handlers of the others, which may be changed in place."""
        self._copies: List[List[Any]] = []
        self._watch(note)

    def _watch(self, note: Callable[[str], None]) -> None:
        """Notes that a logger or the own handler is changed; lists that are changed in place are looked at."""

        def set_attribute(one: logging.Filterer, name: str, value: Any) -> None:
            note("logger")
            object.__setattr__(one, name, value)

        for kind in (logging.Logger, type(self._own)):
            kind.__setattr__ = set_attribute  # type: ignore[method-assign,assignment]
        for name in ("addFilter", "removeFilter"):
            setattr(logging.Filterer, name, _noting(getattr(logging.Filterer, name), note))

    def note(self) -> None:
        """From now on this is how it should be."""
        super().note()
        self._settle()

    def put_back(self) -> None:
        """Makes it as it was noted."""
        super().put_back()
        self._settle()

    def are_as_noted(self) -> bool:
        """True when no logger is new, and none has other handlers: the rest is noted, or seen at a glance."""
        manager = self._of_manager
        return (
            len(manager["loggerDict"]) == self._known
            and bool(manager["_disable"] == self._disabled)
            and bool((_of_logger(self._of_root), _of_handler(self._of_own)) == self._passed)
            and self._lists == self._copies
        )

    def _settle(self) -> None:
        self._disabled = self._of_manager["_disable"]
        self._passed = ((self._root.handlers[:], self._root.filters[:]), (self._own.level, self._own.filters[:]))
        self._lists = [logger.handlers for logger in self._loggers if logger is not self._root]
        self._copies = [one[:] for one in self._lists]

    def glance(self) -> Any:
        """What decides about every logger, as fast as it can be had."""
        registered = self._manager.loggerDict
        if len(registered) != self._known:
            self._known = len(registered)
            self._loggers = [self._root, *(one for one in registered.values() if isinstance(one, logging.Logger))]
        loggers = self._loggers
        return [
            self._manager.disable,
            of_module(vars(logging)),
            [names.copy() for names in _NAMES],
            self._own.level,
            self._own.filters[:],
            list(map(_switches, loggers)),
            # Copies of the lists: they are changed in place.
            [(handlers[:], filters[:]) for handlers, filters in map(_lists, loggers)],
        ]

    def read(self) -> Dict[Any, Any]:
        """Every attribute by the name of its logger and its own."""
        disable, module, names, level, own_filters, switches, lists = self.glance()
        values: Dict[Any, Any] = {"disable": disable, "names": names, "own": [level, own_filters]}
        values.update(zip(_MODULE, module))
        for logger, some, (handlers, filters) in zip(self._loggers, switches, lists):
            name = "" if logger is self._root else logger.name
            values.update(((name, key), value) for key, value in zip(_NEW, (*some, tuple(handlers), tuple(filters))))
        return values

    def write(self, name: Any, value: Any) -> None:
        """Puts one back; a logger that was not there is made as new."""
        if name == "disable":
            logging.disable(value)
        elif name in _MODULE:
            vars(logging)[name] = value
        elif name == "names":
            for names, wanted in zip(_NAMES, value):
                names.clear()
                names.update(wanted)
        elif name == "own":
            self._own.level, self._own.filters[:] = value
        else:
            logger, key = logging.getLogger(name[0]), name[1]
            value = _NEW[key] if value is GONE else value
            if key == "level":
                logger.setLevel(value)
            else:
                setattr(logger, key, list(value) if isinstance(value, tuple) else value)
