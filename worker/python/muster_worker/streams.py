"""The standard streams: moved away before any user code can reach them.

The frames travel on close-on-exec copies of fds 0 and 1. User code finds /dev/null on fd 0 and stderr on
fd 1, so a print, a C-level write or a child process lands in the execution's log, never in a frame.
"""

from __future__ import annotations

import fcntl
import os
import sys
from typing import Tuple


def take() -> Tuple[int, int]:
    """Moves the frames off fds 0 and 1; returns the descriptors to read from and write to."""
    in_fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    out_fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    write_whole_lines()
    return in_fd, out_fd


def write_whole_lines() -> None:
    """A line per write, so that lines of several processes do not mix and none waits in a buffer."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def is_child() -> bool:
    """True in a child that `multiprocessing` started anew: it buffers, and may be killed before it has printed."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None:
        return False
    # While the child still loads what it is to run, it does not know its parent yet.
    loads = getattr(multiprocessing.current_process(), "_inheriting", False)
    return loads or multiprocessing.parent_process() is not None


def flush() -> None:
    """Pushes out what user code printed without a line's end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # User code closed or replaced it; there is nothing to save.
            continue


def scrub_environment() -> None:
    """Removes the SDK's own variables, so that a child process does not take itself for a worker."""
    for name in ("MUSTER_PROTOCOL", "MUSTER_CONFORMANCE"):
        os.environ.pop(name, None)
