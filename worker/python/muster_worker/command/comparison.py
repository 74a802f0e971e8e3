"""What a run does, held against what it did: calls, log records, the outcome. The first difference counts."""

from __future__ import annotations

import json
import threading
from typing import Any, NamedTuple, Optional

from ..wire.messages import Cancelled, Failed, Level, LogRecord, Outcome, Rejected, Succeeded
from .json_values import parsed, parting, same_text
from .recording import RecordedCall, Recording

_SHOWN_MAX_CHARACTERS = 400
_NOTHING = "nothing more"


class Difference(NamedTuple):
    """A place, and both sides of it."""

    where: str
    recorded: str
    replayed: str


class Asked(NamedTuple):
    """A call of the replay: which one it is, and the recorded one whose answer it gets."""

    number: int
    recorded: Optional[RecordedCall]


class Comparison:
    """Follows a replay. For any thread of user code, which hold cancels back meanwhile."""

    def __init__(self, recording: Recording) -> None:
        self.first: Optional[Difference] = None
        self.calls = 0
        self.logs = 0
        self._recording = recording
        self._lock = threading.Lock()

    def call(self, method: str, params: Any) -> Asked:
        """Compares a call with the recorded one of its place, up to the first gap; the recorded one has its answer."""
        with self._lock:
            at, calls = self.calls, self._recording.calls
            self.calls += 1
            is_known = self._recording.dropped == 0 or at < self._recording.calls_in_order
            expected = calls[at] if is_known and at < len(calls) else None
            if expected is None or not expected.asks(method, params):
                if is_known:
                    recorded = _NOTHING if expected is None else shown_call(expected.method, expected.params)
                    self._differs(f"call {at + 1}", recorded, shown_call(method, params))
                expected = next((one for one in calls if not one.is_used and one.asks(method, params)), None)
            if expected is not None:
                expected.is_used = True
            return Asked(at + 1, expected)

    def log(self, record: LogRecord) -> None:
        """Compares a log record with the recorded one of its place, up to the first gap."""
        with self._lock:
            at, logs = self.logs, self._recording.logs
            self.logs += 1
            if at < len(logs):
                if logs[at].level is not record.level or not same_text(logs[at].message, record.message):
                    recorded = _log(logs[at].level, logs[at].message)
                    self._differs(f"log record {at + 1}", recorded, _log(record.level, record.message))
            elif self._recording.dropped == 0:
                self._differs(f"log record {at + 1}", _NOTHING, _log(record.level, record.message))

    def end(self, outcome: Outcome) -> None:
        """Compares the end: what the run did not do, and the outcome."""
        self._missing()
        recorded = self._recording.outcome
        if recorded is not None:
            place = self._outcome_parting(recorded, outcome)
            if place is not None:
                self._differs(place, show(recorded), show(outcome))

    def _missing(self) -> None:
        """What the recording has and the run does not; the earlier of two."""
        call = self._recording.calls[self.calls : self._recording.calls_in_order][:1]
        log = self._recording.logs[self.logs :][:1]
        if call and not (log and log[0].at_us < call[0].at_us):
            self._differs(f"call {self.calls + 1}", shown_call(call[0].method, call[0].params), _NOTHING)
        elif log:
            self._differs(f"log record {self.logs + 1}", _log(log[0].level, log[0].message), _NOTHING)

    def _outcome_parting(self, recorded: Outcome, outcome: Outcome) -> Optional[str]:
        if type(recorded) is not type(outcome):
            return "the outcome"
        if isinstance(recorded, Succeeded) and isinstance(outcome, Succeeded):
            path = parting(parsed(recorded.result), parsed(outcome.result))
            return None if path is None else "the result" + (f" at {path}" if path else "")
        if isinstance(recorded, Failed) and isinstance(outcome, Failed):
            is_same = recorded.error.kind == outcome.error.kind
            return None if is_same and same_text(recorded.error.message, outcome.error.message) else "the error"
        return None

    def _differs(self, where: str, recorded: str, replayed: str) -> None:
        # A recording without an outcome broke off: what comes after it is no difference.
        broke_off = recorded == _NOTHING and self._recording.outcome is None
        if self.first is None and not broke_off:
            self.first = Difference(where, recorded, replayed)


def show(outcome: Outcome) -> str:
    """An outcome in one line."""
    if isinstance(outcome, Succeeded):
        return f"Succeeded {_cut(_json(parsed(outcome.result)))}"
    if isinstance(outcome, Failed):
        return f"Failed {outcome.error.kind}: {_cut(outcome.error.message)}"
    if isinstance(outcome, Cancelled):
        return f"Cancelled: {_cut(outcome.message)}"
    assert isinstance(outcome, Rejected)
    return f"Rejected: {_cut(outcome.reason)}"


def shown_call(method: str, params: Any) -> str:
    """A call in one line."""
    return f"{method} {_cut(_json(params))}"


def _log(level: Level, message: str) -> str:
    return f"{level.name.upper()} {_cut(message)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    line = text.replace("\r", " ").replace("\n", " ")
    return line if len(line) <= _SHOWN_MAX_CHARACTERS else f"{line[:_SHOWN_MAX_CHARACTERS]}... ({len(text)} characters)"
