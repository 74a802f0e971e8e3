"""`context`: what a workflow knows about its execution and can ask for, wherever it stands."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from . import interrupt
from .current import current_or_none
from .errors import CallError
from .execution import Execution
from .logs import make_record, progress_count, progress_message
from .results import encode
from .values import shown
from .wire.messages import ErrorInfo, Level


def _execution() -> Execution:
    found = current_or_none()
    if found is None:
        raise RuntimeError(
            "no execution is running here: `context` works in a workflow and in threads, tasks and pool work that it started"
        )
    return found


def _open_execution() -> Execution:
    execution = _execution()
    if execution.closed:
        raise CallError("Closed", f"the execution has ended ({execution.execution_id}); this code was left behind by it")
    return execution


def call_all(calls: List[Tuple[str, Any]]) -> List[Any]:
    """Asks all the questions (method, params) at once; each answer is a value or a `CallError`."""
    execution = _open_execution()
    encoded = [(method, _encoded(method, params)) for method, params in calls]
    return [_answer(value, error) for value, error in execution.port.call_all(encoded)]


def _encoded(method: str, params: Any) -> bytes:
    text, problem = encode(params, "")
    if problem:
        raise CallError("InvalidValue", f"{method} is refused: {problem}", retryable=False)
    return text


def _answer(value: Optional[bytes], error: Optional[ErrorInfo]) -> Any:
    if error is not None:
        return CallError(error.kind, error.message)
    return json.loads(value) if value else None


def _call(method: str, params: Dict[str, Any]) -> Any:
    answer = call_all([(method, params)])[0]
    if isinstance(answer, CallError):
        raise answer
    return answer


_NOT_GIVEN = object()


class Log:
    """`context.log.info("paid", amount=12)`: a message and any fields, whatever their names. Never fails."""

    def debug(self, message: object = _NOT_GIVEN, /, *arguments: object, **fields: Any) -> None:
        """For the author of the workflow."""
        self._write(Level.Debug, message, arguments, fields)

    def info(self, message: object = _NOT_GIVEN, /, *arguments: object, **fields: Any) -> None:
        """For who runs the workflow."""
        self._write(Level.Info, message, arguments, fields)

    def warn(self, message: object = _NOT_GIVEN, /, *arguments: object, **fields: Any) -> None:
        """Something a person may want to look at."""
        self._write(Level.Warn, message, arguments, fields)

    def error(self, message: object = _NOT_GIVEN, /, *arguments: object, **fields: Any) -> None:
        """Something went wrong."""
        self._write(Level.Error, message, arguments, fields)

    warning = warn

    def _write(self, level: Level, message: object, arguments: Tuple[object, ...], fields: Dict[str, Any]) -> None:
        execution = _execution()
        interrupt.hold()
        try:
            if message is _NOT_GIVEN:
                message = fields.pop("message", "")
            execution.log(make_record(level, execution.workflow, _formatted(message, arguments), fields))
        finally:
            interrupt.release()


def _formatted(message: object, arguments: Tuple[object, ...]) -> str:
    """The message; arguments are put in as `logging` does it, or behind it where they do not fit."""
    if not arguments:
        return shown(message)
    try:
        return str(message) % arguments
    except Exception:
        return " ".join(map(shown, (message, *arguments)))


class Config:
    """Configuration values of the organization, merged with the global ones."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` when there is none."""
        known = _open_execution().context.get("config")
        if isinstance(known, dict) and key in known:
            return known[key]
        value = _call("config.get", {"key": key})
        return default if value is None else value

    def __getitem__(self, key: str) -> Any:
        value = self.get(key)
        if value is None:
            raise KeyError(f"there is no configuration value {key!r}")
        return value


class State:
    """Values that outlive the execution. Writes are applied with its outcome; reads see them at once."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` when there is none."""
        value = _call("state.get", {"key": key})
        return default if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Stores a JSON value."""
        _call("state.set", {"key": key, "value": value})

    def delete(self, key: str) -> None:
        """Removes the value."""
        _call("state.delete", {"key": key})


class Context:
    """The execution the calling code belongs to: works in helpers, coroutines and threads alike."""

    log = Log()
    config = Config()
    state = State()

    @property
    def execution_id(self) -> str:
        """The execution's UUID."""
        return _execution().execution_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return _execution().attempt

    @property
    def workflow(self) -> str:
        """The workflow's name."""
        return _execution().workflow

    @property
    def organization(self) -> Optional[Dict[str, Any]]:
        """`{"id", "name"}`, or None for a global execution."""
        return _execution().context.get("organization")

    @property
    def caller(self) -> Any:
        """Who asked for the execution."""
        return _execution().context.get("caller")

    @property
    def startup(self) -> Any:
        """What the caller passed as `startup`."""
        return _execution().context.get("startup")

    @property
    def traceparent(self) -> Optional[str]:
        """The trace context of this run as W3C has it, for what the workflow calls; None without one."""
        found = _execution().context.get("traceparent")
        return found if isinstance(found, str) else None

    @property
    def raw(self) -> Dict[str, Any]:
        """Everything that came with the execution, as it came (form_id, api_key_id, ...)."""
        return _execution().context

    @property
    def deadline(self) -> Optional[float]:
        """When the time is up, on `time.monotonic()`'s clock; None without a limit."""
        execution = _execution()
        limits = [one for one in (execution.deadline, execution.own_deadline) if one is not None]
        return min(limits, default=None)

    @property
    def remaining(self) -> Optional[float]:
        """Seconds left, never below 0; None without a limit."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """True once the execution is to end, or has. The main thread gets `Cancelled`; other threads look here."""
        execution = _execution()
        return execution.request is not None or execution.closed

    def progress(self, current: int, total: int = 0, message: str = "") -> None:
        """Tells watchers how far it is: 3 of 10, or 3 of an unknown number with `total=0`. Never fails an execution."""
        execution = _open_execution()
        interrupt.hold()
        try:
            counts = progress_count(current), progress_count(total)
            execution.port.progress(*counts, progress_message(message))
        finally:
            interrupt.release()

    def submit(self, workflow: str, params: Any = None) -> str:
        """Submits another execution, which starts when this one's outcome is stored; returns its id."""
        answer = _call("execution.submit", {"workflow": workflow, "params": {} if params is None else params})
        return str(answer["execution_id"])

    def sleep(self, seconds: float) -> Any:
        """Sleeps; a cancel ends it, in every thread. In a coroutine write `await context.sleep(...)`."""
        execution = _open_execution()
        if execution.loop is not None and _in_loop():
            import asyncio

            return asyncio.sleep(seconds)
        if threading.current_thread() is threading.main_thread():
            time.sleep(seconds)
        elif execution.wait_for_cancel(seconds):
            _open_execution()
            raise execution.cancellation()
        return None


def _in_loop() -> bool:
    import asyncio

    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False


context = Context()
