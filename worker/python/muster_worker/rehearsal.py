"""What each worker of a template does for its first run, done in the template a few times, for nobody.

A page of memory that a worker writes to becomes its own, which takes longer than nearly all that is written. And Python
writes where it seems to read only: how a function is best run, and where a name was found. After some rehearsals that is
settled, and stays shared. User code takes no part in them.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Callable, Optional, Type

from . import hooks, interrupt
from .registry import Registry
from .runner import Job
from .wire import binary, json_lines
from .wire.connection import Connection
from .wire.limits import FRAME_HEADER_BYTES
from .wire.messages import TO_WORKER, Execute, Named, Source, Welcome
from .workflow import Definition

_TIMES = 16
"""By then the interpreter has made up its mind about every function."""
_NAME = "rehearsal"
_EXECUTION_ID = "00000000-0000-0000-0000-000000000000"
_EXECUTE = Execute(1, _EXECUTION_ID, 1, _NAME, Named(), b'{"n": 1}', b"{}", 60_000, 1_000)


class Stage:
    """A connection without a supervisor: it is told what a supervisor says first, and what it says is heard by nobody."""

    def __init__(self, welcome: Welcome, json_mode: bool) -> None:
        told, self._prompter = os.pipe()
        self.connection = Connection(told, os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), json_mode)
        encode = _line if json_mode else _frame
        self._words = encode(welcome) + encode(_EXECUTE)

    def prompt(self) -> None:
        """Says Welcome and Execute."""
        os.write(self._prompter, self._words)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, _: Optional[Type[BaseException]], __: Optional[BaseException], ___: Optional[TracebackType]) -> None:
        for descriptor in (self.connection.in_fd, self.connection.out_fd, self._prompter):
            os.close(descriptor)


class StandIn(Registry):
    """Looks for a workflow as the registry it stands for, and gives one that does nothing in its place."""

    def __init__(self, known: Registry) -> None:
        super().__init__(None)
        self._known, self.version = known, known.version
        self._sought = next(iter(known.names()), None) if known.is_current() else None
        self._found = Definition(lambda n: n, _NAME)

    def find(self, workflow: str, source: Source) -> Job:
        """One that does nothing."""
        if self._sought is None:
            return lambda: self._found
        job = self._known.find(self._sought, source)
        return lambda: self._found if job() else self._found


def rehearse(first_run: Callable[[], None]) -> None:
    """Calls it some times, without hooks."""

    def all_times() -> None:
        for _ in range(_TIMES):
            first_run()

    hooks.without(lambda: interrupt.undisturbed(all_times))


def _frame(message: Any) -> bytes:
    body = binary.encode(TO_WORKER, message)
    return len(body).to_bytes(FRAME_HEADER_BYTES, "big") + body


def _line(message: Any) -> bytes:
    return json_lines.encode(TO_WORKER, message) + b"\n"
