"""The standard streams: moved away before any user code can reach them.

The frames travel on close-on-exec copies of fds 0 and 1. User code finds /dev/null on fd 0 and stderr on
fd 1, so a print, a C-level write or a child process lands in the execution's log, never in a frame.
"""

from __future__ import annotations

import fcntl
import io
import os
import sys
from typing import Any, Tuple

from .current import current_or_none


class _RunStream(io.TextIOWrapper):
    """Text of what an ended run left behind goes to that run's late log: descriptor 1 belongs to the run that is on."""

    def __init__(self, buffer: Any, number: int, encoding: str) -> None:
        # A line per write, so that lines of several processes do not mix and none waits in a buffer.
        super().__init__(buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)
        self.number = number
        self.given_encoding = encoding
        self.is_as_made = True

    def reconfigure(self, **keywords: Any) -> None:
        """Changes how it writes, for the run that asks for it."""
        self.is_as_made = False
        super().reconfigure(**keywords)

    def write(self, text: str, /) -> int:
        """Writes the text."""
        execution = current_or_none()
        if execution is None or not execution.closed or execution.late is None or not isinstance(text, str):
            return super().write(text)
        execution.late().printed("stdout" if self.number == 1 else "stderr", text)
        return len(text)


def take() -> Tuple[int, int]:
    """Moves the frames off fds 0 and 1; returns the descriptors to read from and write to."""
    in_fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    out_fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for number, name in ((1, "stdout"), (2, "stderr")):
        plain = getattr(sys, name)
        stream = _RunStream(plain.detach(), number, plain.encoding)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    return in_fd, out_fd


def is_fit(stream: Any) -> bool:
    """False when user code has closed the stream, or changed how it writes."""
    try:
        return not stream.closed and stream.is_as_made
    except ValueError:
        # Detached from its descriptor.
        return False


def made_anew(stream: Any) -> Any:
    """A stream as this one was when it was made."""
    try:
        stream.flush()
    except ValueError:
        pass
    raw = io.FileIO(stream.number, "w", closefd=False)
    return _RunStream(io.BufferedWriter(raw), stream.number, stream.given_encoding)


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


def say(text: str) -> None:
    """A line for the operator, past whatever user code has made of `sys.stderr`."""
    try:
        os.write(2, f"{text}\n".encode("utf-8", "replace"))
    except OSError:
        # User code has closed it, and nobody else can be told.
        return


def flush() -> None:
    """Pushes out what user code printed without a line's end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        # User code closed or replaced it; there is nothing to save.
        pass
    try:
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def scrub_environment() -> None:
    """Removes the SDK's own variables, so that a child process does not take itself for a worker."""
    for name in ("MUSTER_PROTOCOL", "MUSTER_CONFORMANCE"):
        os.environ.pop(name, None)
