"""Transcripts for the tests, written as a supervisor writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from muster_worker.wire import json_lines
from muster_worker.wire.messages import (
    TO_SUPERVISOR,
    TO_WORKER,
    Call,
    Cancel,
    CancelReason,
    Err,
    ErrorInfo,
    Execute,
    Failed,
    Finished,
    Idle,
    Inline,
    Level,
    Log,
    LogRecord,
    Metrics,
    Named,
    Ok,
    Reply,
    Started,
    Succeeded,
)

RUN = 3
HEAD = {
    "transcript": 1,
    "protocol": 1,
    "execution_id": "e-1",
    "attempt": 2,
    "workflow": "w",
    "recorded_at": "2026-01-01T00:00:00Z",
    "implementation": "muster-worker-python",
    "implementation_version": "0.1.0",
    "language": "python",
}


class Transcript:
    """A transcript in the making. Each thing that passes comes a millisecond after the one before."""

    def __init__(
        self,
        code: Optional[str],
        params: Any = None,
        context: Any = None,
        timeout_ms: int = 0,
        grace_ms: int = 1000,
        started: bool = True,
    ) -> None:
        self.lines: List[Dict[str, Any]] = [dict(HEAD)]
        self._at_us = -1000
        self._call = 0
        source = Named() if code is None else Inline("", code.encode())
        self.to_worker(
            Execute(RUN, "e-1", 2, "w", source, _json(params), _json(context or {}), timeout_ms, grace_ms)
        )
        if started:
            self.to_supervisor(Started(RUN))

    def line(self, **keys: Any) -> Transcript:
        self._at_us += 1000
        self.lines.append({"at_us": self._at_us, **keys})
        return self

    def wait(self, seconds: float) -> Transcript:
        self._at_us += round(seconds * 1e6)
        return self

    def to_worker(self, message: Any) -> Transcript:
        return self.line(to_worker=json.loads(json_lines.encode(TO_WORKER, message)))

    def to_supervisor(self, message: Any) -> Transcript:
        return self.line(to_supervisor=json.loads(json_lines.encode(TO_SUPERVISOR, message)))

    def log(self, *messages: str, level: Level = Level.Info) -> Transcript:
        return self.to_supervisor(Log(RUN, [LogRecord(1, level, "w", one, b"") for one in messages]))

    def asks(self, method: str, params: Any) -> Transcript:
        """A call nobody answered."""
        self._call += 1
        return self.to_supervisor(Call(RUN, self._call, method, _json(params)))

    def call(self, method: str, params: Any, answer: Any) -> Transcript:
        self.asks(method, params)
        result = Err(answer) if isinstance(answer, ErrorInfo) else Ok(_json(answer))
        return self.to_worker(Reply(RUN, self._call, result))

    def cancel(self, reason: CancelReason = CancelReason.User) -> Transcript:
        return self.to_worker(Cancel(RUN, reason, "please stop", 1000))

    def dropped(self, count: int) -> Transcript:
        return self.line(dropped=count)

    def ended(self, status: str, **keys: Any) -> Transcript:
        return self.line(ended={"status": status, **keys})

    def finished(self, outcome: Any) -> Transcript:
        self.to_supervisor(Finished(RUN, outcome, Metrics(), 0)).to_supervisor(Idle(RUN, 0, False))
        return self.ended("SUCCESS" if isinstance(outcome, Succeeded) else "FAILED")

    def returns(self, value: Any) -> Transcript:
        return self.finished(Succeeded(_json(value)))

    def raises(self, kind: str, message: str) -> Transcript:
        return self.finished(Failed(ErrorInfo(kind, message)))

    def text(self) -> str:
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.lines)

    def save(self, folder: Path) -> str:
        path = folder / "transcript.jsonl"
        path.write_text(self.text(), encoding="utf-8")
        return str(path)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
