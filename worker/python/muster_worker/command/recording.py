"""What a transcript says about a run, sorted into what a replay needs."""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional

from ..execution import CancelRequest
from ..wire.messages import Call, Cancel, Execute, Finished, Level, Log, Ok, Outcome, Reply, Started
from .clock import LaterCancel
from .json_values import parsed, same
from .masks import Masks
from .transcript import Dropped, Ended, Head, Transcript


class CannotReplay(Exception):
    """The recording lacks what a replay needs; the message completes "cannot be replayed because"."""


class RecordedCall:
    """A question of the run, with its answer if there was one."""

    def __init__(self, method: str, params: Any, at_us: int) -> None:
        self.method = method
        self.params = params
        self.at_us = at_us
        self.answer: Any = None
        self.is_used = False

    def asks(self, method: str, params: Any) -> bool:
        """True when the question is the same."""
        return self.method == method and same(self.params, params)


class RecordedLog(NamedTuple):
    """A log record of the run, as far as it is compared."""

    level: Level
    message: str
    at_us: int


class Recording:
    """One run as it was."""

    def __init__(self, transcript: Transcript) -> None:
        self.head: Head = transcript.head
        self.calls: List[RecordedCall] = []
        self.calls_in_order = 0
        """So many stand before the first gap; nobody knows the places of the others."""
        self.logs: List[RecordedLog] = []
        """Those before the first gap."""
        self.dropped = 0
        self.outcome: Optional[Outcome] = None
        self.ended: Optional[Ended] = None
        self.cancel: Optional[LaterCancel] = None
        self._execute: Optional[Execute] = None
        self._started_us: Optional[int] = None
        self._by_number: Dict[int, RecordedCall] = {}
        for entry in transcript.entries:
            self._take(entry.at_us, entry.what)
        if self._execute is None:
            raise CannotReplay(
                "its Execute was not kept (it was too large), and with it the parameters"
                if self.dropped
                else "it has no Execute: the file is not whole"
            )
        self.execute: Execute = self._execute

    def _take(self, at_us: int, what: Any) -> None:
        if isinstance(what, Execute):
            self._execute = self._execute or what
        elif isinstance(what, Started):
            self._started_us = at_us
        elif isinstance(what, Call):
            call = RecordedCall(what.method, parsed(what.params), at_us)
            self._by_number[what.call] = call
            self.calls.append(call)
            if self.dropped == 0:
                self.calls_in_order = len(self.calls)
        elif isinstance(what, Reply):
            if what.call in self._by_number:
                self._by_number[what.call].answer = what.result
        elif isinstance(what, Log):
            if self.dropped == 0:
                self.logs.extend(RecordedLog(one.level, one.message, at_us) for one in what.records)
        elif isinstance(what, Cancel):
            self._take_cancel(at_us, what)
        elif isinstance(what, Finished):
            self.outcome = what.outcome
        elif isinstance(what, Dropped):
            self.dropped += what.frames
        elif isinstance(what, Ended):
            self.ended = what

    @property
    def succeeded_unseen(self) -> bool:
        """True when the supervisor saw it succeed, and the result was too large to be kept."""
        is_success = self.ended is not None and self.ended.status == "SUCCESS"
        return self.outcome is None and self.dropped > 0 and is_success

    def _take_cancel(self, at_us: int, cancel: Cancel) -> None:
        """The first one counts. One that crossed Started is given at the start."""
        if self.cancel is None:
            after_seconds = 0.0 if self._started_us is None else (at_us - self._started_us) / 1e6
            self.cancel = LaterCancel(after_seconds, CancelRequest(cancel.reason.name, cancel.message or "cancelled"))

    def context(self, masks: Masks) -> bytes:
        """The run's context, with what was put in the place of masked configuration values."""
        context = parsed(self.execute.context)
        config = context.get("config") if isinstance(context, dict) else None
        if not isinstance(config, dict):
            return self.execute.context
        context["config"] = {key: masks.put_back(key, value) for key, value in config.items()}
        return json.dumps(context).encode()

    def put_back_in_answers(self, masks: Masks) -> None:
        """The same for what `config.get` answers."""
        for call in self.calls:
            if call.method == "config.get" and isinstance(call.answer, Ok) and isinstance(call.params, dict):
                value = masks.put_back(str(call.params.get("key")), parsed(call.answer.value))
                call.answer = Ok(json.dumps(value).encode())
