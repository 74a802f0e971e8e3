"""The messages of every run: three written as whole frames, in one step each, and the one that asks for it read in few.
Those of every worker that a template makes, too; and the Welcome that such a worker is sent, recognised rather than read.

The general codec takes several times as long as all the rest of a short run. Tests hold both to the same bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Optional, Tuple, Type

from . import binary
from .limits import FRAME_HEADER_BYTES
from .messages import (
    OUTCOME,
    SOURCE,
    TO_SUPERVISOR,
    TO_WORKER,
    Execute,
    Exited,
    Finished,
    Fork,
    Forked,
    Idle,
    Named,
    Started,
    Succeeded,
    Welcome,
)

_length, _u32 = struct.Struct(">I").pack, struct.Struct("<I").pack
_STARTED_HEAD = _length(8) + _u32(TO_SUPERVISOR.index[Started])
_IDLE_HEAD = _length(17) + _u32(TO_SUPERVISOR.index[Idle])
_FINISHED, _SUCCEEDED = TO_SUPERVISOR.index[Finished], OUTCOME.index[Succeeded]
_FINISHED_BYTES = 20 + 40
_to_result = struct.Struct("<4sIIIQ").pack
_from_result = struct.Struct("<QQQQQ").pack
_idle_rest = struct.Struct("<IQ?").pack


def started(run: int) -> bytes:
    """The frame of Started."""
    return _STARTED_HEAD + _u32(run)


def succeeded(run: int, result: bytes, metrics: Tuple[int, int, int, int], log_records: int) -> bytes:
    """The frame of Finished, with a result."""
    size = len(result)
    wall, user, system, peak = metrics
    head = _to_result(_length(_FINISHED_BYTES + size), _FINISHED, run, _SUCCEEDED, size)
    return head + result + _from_result(wall, user, system, peak, log_records)


def idle(run: int, rss_bytes: int, recycle: bool) -> bytes:
    """The frame of Idle."""
    return _IDLE_HEAD + _idle_rest(run, rss_bytes, recycle)


_EXECUTE = TO_WORKER.index[Execute]
_ID_BYTES = 36
_to_name, _NAME_AT = struct.Struct(f"<4xIIQ{_ID_BYTES}sIQ").unpack_from, 32 + _ID_BYTES
_frame_length = struct.Struct(">I").unpack_from
_to_params, _to_context, _to_end = (struct.Struct(one).unpack_from for one in ("<IQ", "<Q", "<QI"))
# What a named tuple is made by, without a call of its constructor in between.
_made: Callable[[Type[Execute], Tuple[Any, ...]], Execute] = tuple.__new__
_SOURCE_BYTES, _LENGTH_BYTES, _END_BYTES = 12, 8, 12
_WELCOME_ID_AT = 6
_named_source, _NAMED = SOURCE.index[Named], Named()


def execute_of(frame: bytes) -> Optional[Execute]:
    """The message, if this is one whole Execute of a workflow by its name; anything else is the general decoder's."""
    try:
        kind, run, id_bytes, execution_id, attempt, length = _to_name(frame)
        if kind != _EXECUTE or id_bytes != _ID_BYTES:
            return None
        name_end = _NAME_AT + length
        source, length = _to_params(frame, name_end)
        params_at = name_end + _SOURCE_BYTES
        params_end = params_at + length
        (length,) = _to_context(frame, params_end)
        context_at = params_end + _LENGTH_BYTES
        context_end = context_at + length
        timeout_ms, grace_ms = _to_end(frame, context_end)
        end = context_end + _END_BYTES
        if source != _named_source or end != len(frame) or _frame_length(frame)[0] != end - FRAME_HEADER_BYTES:
            return None
        name = frame[_NAME_AT:name_end].decode()
        params, context = frame[params_at:params_end], frame[context_at:context_end]
        fields = run, execution_id.decode(), attempt, name, _NAMED, params, context, timeout_ms, grace_ms
        return _made(Execute, fields)
    except (struct.error, OverflowError, UnicodeDecodeError):
        return None


_FORK_HEAD, _ID_AT = _u32(TO_WORKER.index[Fork]), FRAME_HEADER_BYTES + 4 + _LENGTH_BYTES
_FORKED, _EXITED = TO_SUPERVISOR.index[Forked], TO_SUPERVISOR.index[Exited]
_to_id, _from_child, _of_child = (struct.Struct(one).pack for one in ("<IQ", "<I?", "<III"))


def fork_of(frame: bytes) -> Optional[Fork]:
    """The message, if this is one whole Fork; anything else is the general decoder's."""
    length = len(frame) - _ID_AT
    if length < 0 or _frame_length(frame)[0] != len(frame) - FRAME_HEADER_BYTES:
        return None
    if not frame.startswith(_FORK_HEAD + length.to_bytes(_LENGTH_BYTES, "little"), FRAME_HEADER_BYTES):
        return None
    try:
        return Fork(frame[_ID_AT:].decode())
    except UnicodeDecodeError:
        return None


def forked(worker_id: str, pid: int, recycle: bool) -> bytes:
    """The frame of Forked."""
    name = worker_id.encode("utf-8", "replace")
    body = _to_id(_FORKED, len(name)) + name + _from_child(pid, recycle)
    return _length(len(body)) + body


def exited(pid: int, status: int) -> bytes:
    """The frame of Exited."""
    return _length(12) + _of_child(_EXITED, pid, status)


class KnownWelcome:
    """A Welcome as it was read once, to recognise another one by that differs in the worker's id only."""

    def __init__(self, welcome: Welcome) -> None:
        body = binary.encode(TO_WORKER, welcome._replace(worker_id=""))
        self._head, self._tail = body[:_WELCOME_ID_AT], body[_WELCOME_ID_AT + _LENGTH_BYTES :]

    def end_in(self, data: bytes) -> int:
        """Where the frame ends that the bytes begin with, if it is such a Welcome; else 0."""
        tail = self._tail
        end = FRAME_HEADER_BYTES + int.from_bytes(data[:FRAME_HEADER_BYTES], "big")
        id_bytes = end - FRAME_HEADER_BYTES - _WELCOME_ID_AT - _LENGTH_BYTES - len(tail)
        if id_bytes < 0 or len(data) < end:
            return 0
        head = self._head + id_bytes.to_bytes(_LENGTH_BYTES, "little")
        return end if data.startswith(head, FRAME_HEADER_BYTES) and data.endswith(tail, 0, end) else 0
