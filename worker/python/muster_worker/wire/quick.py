"""The three messages of every run as whole frames, in one step each.

The general encoder takes several times as long as all the rest of a short run. A test holds both to the same bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Dict, Optional

from .messages import OUTCOME, TO_SUPERVISOR, Finished, Idle, Started, Succeeded

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


FRAMES: Dict[Any, Callable[[Any], Optional[bytes]]] = {Started: _of_started, Idle: _of_idle, Finished: _of_finished}
"""The frame of a message; None for one that is not as most are."""
