"""A file that may end the process is tried in a child first."""

from __future__ import annotations

import os
import signal
import time
from typing import Callable

_LOADED = 86
"""The child's exit code when it was still there after loading; that the file raised is the worker's to see."""
_LOOK_SECONDS = 0.005


def problem_of(load: Callable[[], object], seconds: float) -> str:
    """What becomes of a process that loads it; empty when it lives."""
    child = os.fork()
    if child == 0:
        _try(load)
    end = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return _words(status)
        if time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"was not loaded within {seconds:g} s, in C code that nothing can break into"
        time.sleep(_LOOK_SECONDS)


def _try(load: Callable[[], object]) -> None:
    leave = os._exit
    try:
        load()
    except BaseException:  # noqa: B036
        leave(_LOADED)
    leave(_LOADED)


def _words(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"ends the process with {name} while it is loaded"
    code = os.WEXITSTATUS(status)
    return "" if code == _LOADED else f"ends the process with exit code {code} while it is loaded"
