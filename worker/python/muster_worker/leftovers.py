"""Threads that an execution leaves running: they use the process, so it serves no other execution."""

from __future__ import annotations

import sys
import time
from typing import List

from . import streams
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


def stay_behind(execution: Execution) -> bool:
    """Gives what runs on a moment to end; says so, if it does not."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        names = left_running(execution)
        if not names:
            return False
        if time.monotonic() >= end:
            streams.say(
                f"execution {execution.execution_id} left threads running ({', '.join(names[:5])}); "
                "this worker asks to be replaced: join them before the workflow returns"
            )
            return True
        time.sleep(_LOOK_SECONDS)
