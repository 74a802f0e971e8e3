"""A tiny supervisor: drives a real worker process through frames, one message at a time.

Stderr is read dry by a thread, as a supervisor must; every wait has a deadline.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from muster_worker.wire import binary
from muster_worker.wire.messages import (
    FEATURES,
    TO_SUPERVISOR,
    TO_WORKER,
    Cancel,
    CancelReason,
    Describe,
    Execute,
    Finished,
    Hello,
    Idle,
    InitFailed,
    Inline,
    Level,
    Log,
    Named,
    Ready,
    Started,
    Welcome,
)

PACKAGE = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 20.0


def environment(**more: str) -> Dict[str, str]:
    """Ours without what would change how Python or a worker behaves, such as PYTHONUNBUFFERED."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MUSTER_"))}
    return {**kept, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", **more}


class Ended(Exception):
    """The worker closed its end."""


class Run:
    """What one execution sent."""

    def __init__(self, messages: List[Any], seconds: float) -> None:
        self.messages = messages
        self.seconds = seconds
        self.finished: Finished = next(one for one in messages if isinstance(one, Finished))
        self.idle: Idle = next(one for one in messages if isinstance(one, Idle))
        self.outcome = self.finished.outcome
        self.records = [record for one in messages if isinstance(one, Log) and one.run == self.finished.run for record in one.records]

    @property
    def kind(self) -> str:
        return type(self.outcome).__name__

    @property
    def result(self) -> Any:
        assert self.kind == "Succeeded", self.outcome
        return json.loads(self.outcome.result)

    @property
    def error(self) -> Any:
        assert self.kind == "Failed", self.outcome
        return self.outcome.error

    @property
    def lines(self) -> List[str]:
        return [record.message for record in self.records]


class Worker:
    """A worker process and the supervisor's end of its pipes."""

    def __init__(
        self,
        workflows_dir: Optional[Path] = None,
        features: Any = FEATURES,
        config: Optional[Dict[str, Any]] = None,
        handshake: bool = True,
        max_frame_bytes: int = 16_777_215,
        log_level: Level = Level.Info,
        command: Optional[List[str]] = None,
        variables: Optional[Dict[str, str]] = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.process: Any = subprocess.Popen(
            command or [sys.executable, "-m", "muster_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(MUSTER_PROTOCOL="1", MUSTER_CONFORMANCE="1", **(variables or {})),
            pass_fds=pass_fds,
            start_new_session=True,
            bufsize=0,
        )
        self._read()
        if handshake:
            self.greet(workflows_dir, config or {}, features, max_frame_bytes, log_level)
            self.ready = self.receive()
            assert isinstance(self.ready, (Ready, InitFailed)), self.ready

    def _read(self) -> None:
        self._buffer = bytearray()
        self.described: List[Describe] = []
        """What it described. May come at any time, so nobody waits for it."""
        self._run = 0
        self._stderr: List[bytes] = []
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()

    def greet(
        self,
        workflows_dir: Optional[Path],
        config: Dict[str, Any],
        features: Any = FEATURES,
        max_frame_bytes: int = 16_777_215,
        log_level: Level = Level.Info,
    ) -> None:
        """Hears Hello and says Welcome."""
        self.hello = self.expect(Hello)
        settings = {**config, **({"workflows_dir": str(workflows_dir)} if workflows_dir else {})}
        self.send(Welcome(1, "w1", list(features), max_frame_bytes, log_level, json.dumps(settings).encode()))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()
        self._reader.join(5)
        self.process.stderr.close()

    def _read_stderr(self) -> None:
        while data := os.read(self.process.stderr.fileno(), 65536):
            self._stderr.append(data)

    @property
    def stderr(self) -> str:
        return b"".join(self._stderr).decode("utf-8", "replace")

    def stderr_with(self, text: str) -> str:
        """Waits until stderr holds the text."""
        end = time.monotonic() + WAIT_SECONDS
        while text not in self.stderr:
            assert time.monotonic() < end, f"{text!r} is not in {self.stderr!r}"
            time.sleep(0.005)
        return self.stderr

    def send(self, *messages: Any) -> None:
        self.send_bytes(b"".join(frame(one) for one in messages))

    def send_bytes(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.process.stdin.fileno(), view) :]

    def receive(self, seconds: float = WAIT_SECONDS) -> Any:
        end = time.monotonic() + seconds
        out = self.process.stdout.fileno()
        while True:
            message = self._next()
            if isinstance(message, Describe):
                self.described.append(message)
                continue
            if message is not None:
                return message
            ready, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no message in {seconds} s; stderr: {self.stderr}")
            data = os.read(out, 1 << 20)
            if not data:
                raise Ended(self.stderr)
            self._buffer += data

    def _next(self) -> Any:
        if len(self._buffer) < 4:
            return None
        assert self._buffer[0] == 0, f"stdout is polluted: {bytes(self._buffer[:256])!r}"
        end = 4 + int.from_bytes(self._buffer[:4], "big")
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[4:end])
        del self._buffer[:end]
        message = binary.decode(TO_SUPERVISOR, body)
        assert message is not None
        return message

    def expect(self, kind: Any) -> Any:
        message = self.receive()
        assert isinstance(message, kind), message
        return message

    def start(self, workflow: str, params: Any = None, source: Any = None, **more: Any) -> int:
        """Sends Execute; returns the run's number."""
        self._run += 1
        execute = Execute(
            run=self._run,
            execution_id=f"00000000-0000-7000-8000-{self._run:012d}",
            attempt=more.pop("attempt", 1),
            workflow=workflow,
            source=source if source is not None else Named(),
            params=json.dumps({} if params is None else params).encode(),
            context=json.dumps(more.pop("context", {})).encode(),
            timeout_ms=more.pop("timeout_ms", 0),
            grace_ms=1000,
        )
        assert not more
        self.send(execute)
        return self._run

    def finish(self) -> Run:
        """Everything up to Idle."""
        began = time.monotonic()
        messages: List[Any] = []
        while not messages or not isinstance(messages[-1], Idle):
            messages.append(self.receive())
        return Run(messages, time.monotonic() - began)

    def run(self, workflow: str, params: Any = None, source: Any = None, **more: Any) -> Run:
        self.start(workflow, params, source, **more)
        return self.finish()

    def code(self, text: str, params: Any = None, **more: Any) -> Run:
        return self.run("inline", params, Inline("", text.encode()), **more)

    def start_code(self, text: str, params: Any = None, **more: Any) -> int:
        """Starts inline code; returns once it is Started."""
        run = self.start("inline", params, Inline("", text.encode()), **more)
        self.expect(Started)
        return run

    def cancel(self, run: int, reason: CancelReason = CancelReason.User, message: str = "please stop") -> None:
        self.send(Cancel(run, reason, message, 1000))

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        return self.process.wait(seconds)

    def terminate(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def frame(message: Any) -> bytes:
    body = binary.encode(TO_WORKER, message)
    return len(body).to_bytes(4, "big") + body
