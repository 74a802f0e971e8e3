"""What a worker says and hears first that a template has made, prepared before the fork.

After a fork each step of Python code makes pages the worker's own that it shared, and that is most of what a fork costs.
So such a worker says bytes that its template has made ready, and a Welcome that says nothing new need not be read.
"""

from __future__ import annotations

import os

from .wire import quick
from .wire.connection import Connection
from .wire.messages import TEMPLATE, Hello, Ready, Welcome

_PID_BYTES = 4


class FirstWords:
    """Made in the template. What it was welcomed with itself holds for its workers."""

    def __init__(self, connection: Connection, hello: Hello, welcome: Welcome, ready: Ready) -> None:
        self._hello = hello
        self._is_text = connection.json_mode
        # It is no template.
        features = [one for one in welcome.features if one != TEMPLATE]
        self.welcome = quick.KnownWelcome(welcome._replace(features=features))
        self.ready = connection.encode(ready)
        one, other = (connection.encode(hello._replace(pid=pid)) for pid in (0, 0xFFFFFFFF))
        pid_at = next(at for at, (first, second) in enumerate(zip(one, other)) if first != second)
        self._head, self._tail = one[:pid_at], one[pid_at + _PID_BYTES :]

    def hello(self, connection: Connection) -> bytes:
        """In a worker: its Hello, encoded."""
        pid = os.getpid()
        if self._is_text:
            return connection.encode(self._hello._replace(pid=pid))
        return self._head + pid.to_bytes(_PID_BYTES, "little") + self._tail
