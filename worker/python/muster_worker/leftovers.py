"""Threads that an execution leaves running: they use the process, so it serves no other execution."""

from __future__ import annotations

import sys
import time
from typing import List

from .execution import Execution
from .user_code import runs_user_code

_PATIENCE_SECONDS = 0.1
_LOOK_SECONDS = 0.002


def left_running(execution: Execution) -> List[str]:
    """Names of what runs on. Threads of libraries that wait for work, as those of pools do, do not count."""
    work = execution.pool_work
    names = [f"{work} in a pool"] if work else []
    if execution.threads:
        frames = sys._current_frames()
        for thread, by_user_code in execution.threads:
            frame = frames.get(thread.ident or 0)
            if thread.is_alive() and (by_user_code or (frame is not None and runs_user_code(frame))):
                names.append(thread.name)
    return names


def still_running(execution: Execution) -> List[str]:
    """The same, after a moment in which they may end."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        names = left_running(execution)
        if not names or time.monotonic() >= end:
            return names
        time.sleep(_LOOK_SECONDS)
