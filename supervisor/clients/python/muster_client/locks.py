"""A lock for what is made once in each process."""

from __future__ import annotations

import os
import threading

_locks: dict[int, threading.Lock] = {}


def lock_of_process() -> threading.Lock:
    """That of this process. One that was held by another thread at a fork is held for ever in the child, which has another."""
    # No hook of forks is needed for that: a worker can take none back.
    return _locks.setdefault(os.getpid(), threading.Lock())
