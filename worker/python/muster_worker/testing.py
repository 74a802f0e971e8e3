"""Workflows in unit tests: run one as a worker would, with what it asks for given, and what it says recorded.

    from muster_worker import testing
    from greet import greet

    def test_greet():
        run = testing.run(greet, {"name": "Ada"}, config={"region": "eu"}, state={"greeted": 1})
        assert run.result == {"greeting": "Hello, Ada!"}
        assert run.logs[0].message == "greeting"

`with testing.context(...) as run:` is for code that is called directly, and for tests that are coroutines.
"""

from __future__ import annotations

import contextlib
import contextvars
import difflib
import json
import logging
import uuid
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from . import carry, current
from .errors import CallError
from .execution import Execution
from .hooks import start_worker
from .logs import LoggingHandler
from .port import Answer
from .results import to_json
from .runner import call
from .wire.messages import ErrorInfo, LogRecord
from .workflow import Definition, definition_of

__all__ = ["Call", "LogLine", "Progress", "Run", "Submission", "context", "run"]


class LogLine(NamedTuple):
    """A log record: of `context.log`, of `logging`, of `warnings`."""

    level: str
    message: str
    fields: Dict[str, Any]
    logger: str


class Progress(NamedTuple):
    """One call of `context.progress`."""

    current: int
    total: int
    message: str


class Call(NamedTuple):
    """A question to the supervisor: `state.set` with `{"key": ..., "value": ...}`, say."""

    method: str
    params: Dict[str, Any]


class Submission(NamedTuple):
    """Another execution that the workflow submitted."""

    workflow: str
    params: Any
    execution_id: str


_METHODS = ("config.get", "state.get", "state.set", "state.delete", "execution.submit")

Answers = Mapping[str, Union[Callable[[Dict[str, Any]], Any], BaseException, Any]]


class Run:
    """What a workflow was given, and what it did."""

    def __init__(self, config: Mapping[str, Any], state: Mapping[str, Any], answers: Answers) -> None:
        self.config = dict(config)
        self.state: Dict[str, Any] = json.loads(to_json(dict(state)))
        """As it is, with all that the workflow wrote."""
        self.logs: List[LogLine] = []
        self.progresses: List[Progress] = []
        self.calls: List[Call] = []
        """Every call of `state`, `submit`, and of `config` for keys that were not given."""
        self.submitted: List[Submission] = []
        self.error: Optional[BaseException] = None
        self._result: Any = None
        self._answers = dict(answers)

    @property
    def result(self) -> Any:
        """What the workflow returned, as the caller gets it: read from JSON. Raises what the workflow raised."""
        if self.error is not None:
            raise self.error
        return self._result

    # What an execution uses: see `Port`.

    def log(self, record: LogRecord) -> None:
        """Keeps a record."""
        fields = json.loads(record.fields) if record.fields else {}
        self.logs.append(LogLine(record.level.name.lower(), record.message, fields, record.logger))

    def progress(self, current: int, total: int, message: str) -> None:
        """Keeps a progress; all of them, where a supervisor keeps the latest."""
        self.progresses.append(Progress(current, total, message))

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """Answers from what was given."""
        return [self._answer(method, json.loads(params)) for method, params in calls]

    def _answer(self, method: str, params: Dict[str, Any]) -> Answer:
        self.calls.append(Call(method, params))
        try:
            value = self._answers[method] if method in self._answers else self._own_answer(method, params)
            if isinstance(value, BaseException):
                raise value
            if callable(value):
                value = value(params)
        except CallError as error:
            return None, ErrorInfo(error.kind, error.message)
        return to_json(value), None

    def _check_answers(self) -> None:
        """An answer to a call that there is not, and that nothing made, is a mistake of the test."""
        made = {one.method for one in self.calls}
        for method in self._answers:
            if method not in _METHODS and method not in made:
                near = difflib.get_close_matches(method, _METHODS, n=1)
                known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_METHODS)}"
                raise TypeError(f"answers: there is no call {method!r}, and nothing made it; {known}")

    def _own_answer(self, method: str, params: Dict[str, Any]) -> Any:
        if method == "config.get":
            return self.config.get(params["key"])
        if method == "state.get":
            return self.state.get(params["key"])
        if method == "state.set":
            self.state[params["key"]] = params["value"]
        elif method == "state.delete":
            self.state.pop(params["key"], None)
        elif method == "execution.submit":
            self.submitted.append(Submission(params["workflow"], params["params"], str(uuid.uuid4())))
            return {"execution_id": self.submitted[-1].execution_id}
        else:
            raise CallError("UnknownMethod", f"there is no method {method!r}; give an answer with answers={{...}}")
        return None


def run(workflow: Callable[..., Any], params: Any = None, *, hooks: bool = False, **given: Any) -> Run:
    """Runs a workflow function, plain or async, as a worker would: parameters bound and checked, result as JSON.

    Takes what `context` takes, and `hooks=True` to have the hooks called. It never raises what the
    workflow does: that is `run.error`, and asking for `run.result` raises it.
    """
    if not callable(workflow):
        raise TypeError(f"testing.run(workflow, params): the workflow must be its function, not {workflow!r}")
    definition = definition_of(workflow) or Definition(workflow, getattr(workflow, "__name__", "workflow"))
    text = b"" if params is None else to_json(params)
    if hooks:
        start_worker(lambda: None)
    with context(workflow=given.pop("name", definition.name), **given) as recorded:
        execution = current.current_or_none()
        assert execution is not None
        try:
            result = contextvars.copy_context().run(call, execution, definition, text, hooks)
            recorded._result = json.loads(result)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            recorded.error = error
    return recorded


@contextlib.contextmanager
def context(
    *,
    config: Optional[Mapping[str, Any]] = None,
    state: Optional[Mapping[str, Any]] = None,
    answers: Optional[Answers] = None,
    workflow: str = "test",
    organization: Optional[Mapping[str, Any]] = None,
    caller: Any = None,
    startup: Any = None,
    traceparent: Optional[str] = None,
    attempt: int = 1,
    timeout: Optional[float] = None,
    execution_id: Optional[str] = None,
) -> Iterator[Run]:
    """An execution for the code inside: `context` works there, in its threads, tasks and pools.

    `answers` stands in for the supervisor by the name of the call: a value, an error to raise, or a function of the call's
    params, as in `answers={"state.get": CallError("StateUnavailable", "no database")}`.
    """
    recorded = Run(config or {}, state or {}, answers or {})
    told = {
        "organization": organization,
        "caller": caller,
        "startup": startup,
        "traceparent": traceparent,
        "config": recorded.config,
    }
    known_id = execution_id or str(uuid.uuid4())
    execution = Execution(recorded, 1, known_id, attempt, workflow, to_json(told), round((timeout or 0) * 1000))
    execution.start_clock()
    carry.into_threads()
    before, handler = current.carried.get(), LoggingHandler()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO))
    current.set_running(execution)
    try:
        yield recorded
        recorded._check_answers()
    finally:
        execution.close()
        current.set_running(before)
        root.removeHandler(handler)
        root.setLevel(level)
