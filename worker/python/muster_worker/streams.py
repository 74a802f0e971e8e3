"""The standard streams: moved away before any user code can reach them.

The frames travel on close-on-exec copies of fds 0 and 1. User code finds /dev/null on fd 0 and stderr on
fd 1, so a print, a C-level write or a child process lands in the execution's log, never in a frame.
"""

from __future__ import annotations

import fcntl
import io
import os
import sys
from typing import Any, Callable, Tuple

from .current import current_or_none


class _RunStream(io.TextIOWrapper):
    """Text of what an ended run left behind goes to that run's late log: descriptor 1 belongs to the run that is on."""

    # Looked at after each run: faster than in the dictionary, which the class it is based on has.
    __slots__ = ("is_flushed", "is_untouched")

    def __init__(self, buffer: Any, number: int, encoding: str) -> None:
        # A line per write, so that lines of several processes do not mix and none waits in a buffer.
        super().__init__(buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)
        self.number = number
        self.given_encoding = encoding
        self.is_as_made = True
        """False once it has been reconfigured."""
        self.is_untouched = True
        """False once it was reconfigured or closed, or somebody was given what is below it: then it is asked how it is."""
        self.is_flushed = True
        """True when nothing can wait in it."""

    @property
    def buffer(self) -> Any:
        """What is below it, where text and bytes may wait that were not written here."""
        self.is_untouched = self.is_flushed = False
        return _buffer_of(self)

    def detach(self) -> Any:
        """Gives away what is below it, and is of no use any more."""
        self.is_untouched = self.is_flushed = False
        return super().detach()

    def flush(self) -> None:
        """Writes what waits in it."""
        # Before, so that what another thread writes meanwhile is not taken for flushed.
        self.is_flushed = self.is_untouched
        try:
            super().flush()
        except BaseException:
            self.is_flushed = False
            raise

    def close(self) -> None:
        """Closes it."""
        self.is_untouched = self.is_flushed = False
        super().close()

    def reconfigure(self, **keywords: Any) -> None:
        """Changes how it writes, for the run that asks for it."""
        self.is_as_made = self.is_untouched = False
        super().reconfigure(**keywords)

    def write(self, text: str, /) -> int:
        """Writes the text."""
        execution = current_or_none()
        if execution is None or not execution.closed or execution.late is None or not isinstance(text, str):
            try:
                return super().write(text)
            finally:
                self.is_flushed = False
        execution.late().printed("stdout" if self.number == 1 else "stderr", text)
        return len(text)


_buffer_of: Callable[[Any], Any] = vars(io.TextIOWrapper)["buffer"].__get__


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


def are_fit(stdout: Any, stderr: Any) -> bool:
    """False when user code has closed one of the two, or changed how it writes."""
    return (stdout.is_untouched and stderr.is_untouched) or (_is_fit(stdout) and _is_fit(stderr))


def _is_fit(stream: Any) -> bool:
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
        stream: Any = sys.stdout
        # In one of ours that says so nothing can wait.
        if type(stream) is not _RunStream or not stream.is_flushed:
            stream.flush()
    except (OSError, ValueError, AttributeError):
        # User code closed or replaced it; there is nothing to save.
        pass
    try:
        stream = sys.stderr
        if type(stream) is not _RunStream or not stream.is_flushed:
            stream.flush()
    except (OSError, ValueError, AttributeError):
        pass


def scrub_environment() -> None:
    """Removes the SDK's own variables, so that a child process does not take itself for a worker."""
    for name in ("MUSTER_PROTOCOL", "MUSTER_CONFORMANCE"):
        os.environ.pop(name, None)
