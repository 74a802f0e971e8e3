"""One connection to the supervisor: two descriptors, one spelling, whole messages in and out.

Writing is for any thread. Reading is for whoever holds `reading`: the main thread while it waits for
work, the watcher or a caller while a run is on. No thread ever blocks in a read while it holds `reading`
with a run on: it asks `readable` first.
"""

from __future__ import annotations

import os
import select
import threading
from typing import Any, Callable, List, Optional, Tuple

from . import binary, json_lines, quick
from .layout import DecodeError
from .limits import FRAME_HEADER_BYTES, FRAME_MAX_BYTES
from .messages import TO_SUPERVISOR, TO_WORKER, Exited, Finished, Forked, Idle, Metrics, Outcome, Started, Succeeded

_read, _write = os.read, os.write
_READ_BYTES = 64 * 1024
"""What a pipe holds. For more, the buffer of each read would be mapped into the process and out again."""


class PeerError(Exception):
    """The supervisor sent something that is no message."""


class Connection:
    """Messages over two descriptors."""

    def __init__(self, in_fd: int, out_fd: int, json_mode: bool = False) -> None:
        self.in_fd = in_fd
        self.out_fd = out_fd
        self.json_mode = json_mode
        self.frame_max_bytes = FRAME_MAX_BYTES
        self.reading = threading.Lock()
        self.ended = False
        self.known_welcome: Optional[quick.KnownWelcome] = None
        """What the Welcome that is due will say: one that says this is passed over."""
        self.usual: Callable[[bytes], Optional[Any]] = quick.execute_of
        """Reads what comes nearly always, if that is what it is given."""
        # Of every run: the function itself, so that no other stands between.
        self.started: Callable[[int], bytes] = self._started_line if json_mode else quick.started
        """Started, encoded: of this run."""
        self.idle: Callable[[int, int, bool], bytes] = self._idle_line if json_mode else quick.idle
        """Idle, encoded: of this run, with the resident set in bytes, and whether the worker asks to be replaced."""
        self._writing = threading.Lock()
        self._buffer = bytearray()

    def encode(self, message: Any) -> bytes:
        """The message as it goes over the wire, its head included."""
        if self.json_mode:
            return json_lines.encode(TO_SUPERVISOR, message) + b"\n"
        body = binary.encode(TO_SUPERVISOR, message)
        return len(body).to_bytes(FRAME_HEADER_BYTES, "big") + body

    def finished(self, run: int, outcome: Outcome, metrics: Tuple[int, int, int, int], log_records: int) -> bytes:
        """Finished, encoded."""
        if self.json_mode or type(outcome) is not Succeeded:
            return self.encode(Finished(run, outcome, Metrics._make(metrics), log_records))
        return quick.succeeded(run, outcome.result, metrics, log_records)

    def forked(self, worker_id: str, pid: int, recycle: bool) -> bytes:
        """Forked, encoded."""
        return self.encode(Forked(worker_id, pid, recycle)) if self.json_mode else quick.forked(worker_id, pid, recycle)

    def exited(self, pid: int, status: int) -> bytes:
        """Exited, encoded."""
        return self.encode(Exited(pid, status)) if self.json_mode else quick.exited(pid, status)

    def _started_line(self, run: int) -> bytes:
        return self.encode(Started(run))

    def _idle_line(self, run: int, rss_bytes: int, recycle: bool) -> bytes:
        return self.encode(Idle(run, rss_bytes, recycle))

    def fits(self, encoded: bytes) -> bool:
        """True when the supervisor takes a message of this size."""
        return len(encoded) - FRAME_HEADER_BYTES <= self.frame_max_bytes

    def send(self, *messages: Any) -> None:
        """Writes the messages in one go."""
        self.write(b"".join(map(self.encode, messages)))

    def write(self, data: bytes) -> None:
        """Writes all of it, or nothing more is ever written: a broken pipe means the supervisor is gone."""
        with self._writing:
            try:
                written = _write(self.out_fd, data)
                while written < len(data):
                    written += _write(self.out_fd, memoryview(data)[written:])
            except BrokenPipeError:
                self.ended = True

    def readable(self, timeout_seconds: float) -> bool:
        """Waits until there is something to read, or the stream's end."""
        # An object of its own each time: one may not be used by two threads, and it costs a microsecond.
        poll = select.poll()
        poll.register(self.in_fd, select.POLLIN)
        return bool(poll.poll(max(0, round(timeout_seconds * 1000))))

    def receive(self) -> List[Any]:
        """Reads once, blocking, and returns the messages that are complete by now."""
        data = _read(self.in_fd, _READ_BYTES)
        if not data:
            self.ended = True
            return []
        if self.known_welcome is not None:
            data = self._past_welcome(self.known_welcome, data)
            if not data:
                return []
        if not (self._buffer or self.json_mode):
            # One whole frame, as nearly always.
            message = self.usual(data)
            if message is not None:
                return [message]
            if len(data) == FRAME_HEADER_BYTES + int.from_bytes(data[:4], "big") > 4:
                message = self._decode(data[FRAME_HEADER_BYTES:])
                return [] if message is None else [message]
        self._buffer += data
        messages: List[Any] = []
        while True:
            body = self._next_line() if self.json_mode else self._next_frame()
            if body is None:
                return messages
            message = self._decode(body)
            # One of a later version is skipped.
            if message is not None:
                messages.append(message)

    def _past_welcome(self, known: quick.KnownWelcome, data: bytes) -> bytes:
        end = 0 if self._buffer or self.json_mode else known.end_in(data)
        if end:
            self.known_welcome = None
        return data[end:]

    def _decode(self, body: bytes) -> Optional[Any]:
        try:
            return (json_lines if self.json_mode else binary).decode(TO_WORKER, body)
        except DecodeError as error:
            raise PeerError(str(error)) from error

    def _next_frame(self) -> Optional[bytes]:
        buffer = self._buffer
        if len(buffer) < FRAME_HEADER_BYTES:
            return None
        length = int.from_bytes(buffer[:FRAME_HEADER_BYTES], "big")
        if not 1 <= length <= FRAME_MAX_BYTES:
            raise PeerError(f"a frame of {length} bytes is not between 1 and {FRAME_MAX_BYTES}")
        end = FRAME_HEADER_BYTES + length
        if len(buffer) < end:
            return None
        body = bytes(buffer[FRAME_HEADER_BYTES:end])
        del buffer[:end]
        return body

    def _next_line(self) -> Optional[bytes]:
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > FRAME_MAX_BYTES:
                    raise PeerError(f"a line is longer than {FRAME_MAX_BYTES} bytes")
                return None
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            if line:
                return line
