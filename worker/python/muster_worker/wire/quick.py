"""The messages of every run: three written as whole frames, in one step each, and the one that asks for it read in few.

The general codec takes several times as long as all the rest of a short run. Tests hold both to the same bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Dict, Optional

from .limits import FRAME_HEADER_BYTES
from .messages import OUTCOME, SOURCE, TO_SUPERVISOR, TO_WORKER, Execute, Finished, Idle, Named, Started, Succeeded

Quick = Callable[[Any], Optional[bytes]]

_LENGTH = struct.Struct(">I").pack
_STARTED = struct.Struct("<II").pack
_IDLE = struct.Struct("<IIQ?").pack
_SUCCEEDED = struct.Struct("<IIIQ").pack
_REST = struct.Struct("<QQQQQ").pack

_started, _finished, _idle = (TO_SUPERVISOR.index[one] for one in (Started, Finished, Idle))
_succeeded = OUTCOME.index[Succeeded]
_STARTED_HEAD, _IDLE_HEAD = _LENGTH(8), _LENGTH(17)
_FINISHED_BYTES = 20 + 40


def _of_started(message: Started) -> bytes:
    return _STARTED_HEAD + _STARTED(_started, message[0])


def _of_idle(message: Idle) -> bytes:
    return _IDLE_HEAD + _IDLE(_idle, *message)


def _of_finished(message: Finished) -> Optional[bytes]:
    run, outcome, metrics, log_records = message
    if type(outcome) is not Succeeded:
        return None
    result = outcome[0]
    size = len(result)
    head = _LENGTH(_FINISHED_BYTES + size) + _SUCCEEDED(_finished, run, _succeeded, size)
    return b"".join((head, result, _REST(*metrics, log_records)))


FRAMES: Dict[Any, Quick] = {Started: _of_started, Idle: _of_idle, Finished: _of_finished}
"""The frame of a message; None for one that is not as most are."""


_EXECUTE_HEAD = struct.pack("<I", TO_WORKER.index[Execute])
_ID_BYTES = 36
_to_name, _NAME_AT = struct.Struct(f"<8xIQ{_ID_BYTES}sIQ").unpack_from, 32 + _ID_BYTES
_to_params, _to_context, _to_end = (struct.Struct(one).unpack_from for one in ("<IQ", "<Q", "<QI"))
_SOURCE_BYTES, _LENGTH_BYTES, _END_BYTES = 12, 8, 12
_named_source, _NAMED = SOURCE.index[Named], Named()


def execute_of(frame: bytes) -> Optional[Execute]:
    """The message, if this is one whole Execute of a workflow by its name; anything else is the general decoder's."""
    if not frame.startswith(_EXECUTE_HEAD, FRAME_HEADER_BYTES):
        return None
    try:
        run, id_bytes, execution_id, attempt, length = _to_name(frame)
        name_end = _NAME_AT + length
        source, length = _to_params(frame, name_end)
        params_at = name_end + _SOURCE_BYTES
        params_end = params_at + length
        (length,) = _to_context(frame, params_end)
        context_at = params_end + _LENGTH_BYTES
        context_end = context_at + length
        timeout_ms, grace_ms = _to_end(frame, context_end)
        end = context_end + _END_BYTES
        if source != _named_source or id_bytes != _ID_BYTES or end != len(frame) or frame[:4] != _LENGTH(end - 4):
            return None
        name = frame[_NAME_AT:name_end].decode()
        params, context = frame[params_at:params_end], frame[context_at:context_end]
        return Execute(run, execution_id.decode(), attempt, name, _NAMED, params, context, timeout_ms, grace_ms)
    except (struct.error, OverflowError, UnicodeDecodeError):
        return None
