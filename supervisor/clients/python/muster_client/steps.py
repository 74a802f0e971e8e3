"""What is asked of a supervisor, step by step, without I/O: the sync and the async client take the same steps.

A plan is a generator. It yields a `Request` and gets an `Answer`, or yields a `Pause` and gets None when that is over.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from time import monotonic
from typing import Any, Dict, Generator, Iterable, List, Mapping, Sequence, Tuple, TypeVar, Union
from urllib.parse import quote

from . import records
from .errors import (
    Conflict,
    Forbidden,
    IdempotencyKeyReused,
    InvalidRequest,
    LimitReached,
    MusterError,
    MusterUnavailable,
    NotFinished,
    NotFound,
    Unauthorized,
    UnexpectedAnswer,
    outcome_error,
)
from .options import Options, new_id
from .records import Cancelled, Execution, Reason, read
from .values import from_json, to_json

T = TypeVar("T")

WAIT_SECONDS = 30.0
"""How long one question waits for the end of an execution, as long as there are connections enough."""
_WAIT_LEAST_SECONDS = 1.0
ANSWER_SECONDS = 30.0
"""How long an answer may take, beyond the time it was asked to wait."""
_PAUSE_SECONDS = 0.1
_PAUSE_MAX_SECONDS = 2.0
_ABSENT_SECONDS = 0.01
"""The first pause for a message that was published and is no row yet: most are within milliseconds."""
_PASSING = (502, 503, 504)
_UNKNOWN = re.compile(r"parameters\.(\w+): is not known")
_OPTION_NAMES = frozenset(one.name for one in fields(Options))
_MANY = 1_000
_MANY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """A question to the supervisor."""

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]]
    body: bytes | None = None
    seconds: float = ANSWER_SECONDS
    """How long its answer may take."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


class Unreachable(Exception):
    """No answer came. Thrown into a plan in the place of one."""


Plan = Generator[Request | Pause, Answer, T]


class Patience:
    """How long a supervisor that does not answer is asked again, ever less often."""

    def __init__(self, url: str, seconds: float, deadline: float | None = None) -> None:
        self._url = url
        self._seconds = seconds
        self._deadline = deadline
        self._away_since: float | None = None
        self._pause = _PAUSE_SECONDS

    def renew(self) -> None:
        """It answered."""
        self._away_since = None
        self._pause = _PAUSE_SECONDS

    def spend(self, reason: str) -> Pause:
        """It did not: the pause before the next question, or `MusterUnavailable`."""
        now = monotonic()
        if self._away_since is None:
            self._away_since = now
        end = self._away_since + self._seconds
        if self._deadline is not None:
            end = min(end, self._deadline)
        if now >= end:
            # The message has the reason: a hundred lines from the depths of httpx would hide it.
            raise MusterUnavailable(self._given_up(reason, now - self._away_since)) from None
        pause = min(self._pause * (0.5 + random.random()), max(end - now, 0.0) + 0.01)
        self._pause = min(self._pause * 2, _PAUSE_MAX_SECONDS)
        return Pause(pause)

    def _given_up(self, reason: str, seconds: float) -> str:
        return (
            f"no supervisor answers at {self._url} ({reason}), asked for {seconds:.0f} s: "
            "start one with `supervisor run`, or name another with Client(url) or MUSTER_URL"
        )


def execution_path(execution_id: str, *more: str) -> str:
    """The path of an execution, or of what belongs to it."""
    return "/".join(("/api/executions", _part(execution_id), *more))


def _part(name: str) -> str:
    """A name as a part of a path. What would lead elsewhere is none."""
    if name in ("", ".", ".."):
        problem = f"{name!r} cannot be a name here: in the address of a request it would stand for another place"
        raise InvalidRequest(problem, [problem])
    return quote(name, safe="")


def ask(request: Request, patience: Patience) -> Plan[Any]:
    """The JSON of an answer. Every question may be asked twice: what makes something says its id."""
    while True:
        try:
            answer = yield request
        except Unreachable as error:
            yield patience.spend(str(error))
            continue
        if answer.status in _PASSING:
            yield patience.spend(_detail(answer))
            continue
        patience.renew()
        return parsed(answer)


def parsed(answer: Answer) -> Any:
    """The JSON of an answer, or the error that it tells."""
    if answer.status in (200, 202):
        try:
            return from_json(answer.body)
        except ValueError as error:
            raise UnexpectedAnswer(f"what answers is no supervisor: {error}") from error
    raise refusal(answer)


def refusal(answer: Answer) -> MusterError:
    """The error that an answer tells."""
    return told_error(answer.status, problem_of(answer))


def told_error(status: int, problem: Mapping[str, Any]) -> MusterError:
    """The error of such a status that says this of itself."""
    detail = str(problem.get("detail") or f"it answers with status {status}")
    if status in (400, 413, 422):
        problems = problem.get("problems")
        reused = problem.get("type") == "/problems/idempotency-key-reused"
        refused = IdempotencyKeyReused if reused else InvalidRequest
        listed = [str(one) for one in problems] if isinstance(problems, list) else [detail]
        return refused(detail + _hint_of(listed), listed)
    if status == 401:
        return Unauthorized(f"{detail}; give it with Client(token=...) or MUSTER_HTTP_TOKEN")
    if problem.get("type") == "/problems/limit-reached":
        holder = problem.get("execution_id")
        return LimitReached(detail, str(holder) if holder else None)
    kinds: dict[int, type[MusterError]] = {403: Forbidden, 404: NotFound, 409: Conflict}
    kind = kinds.get(status)
    if kind is not None and problem:
        return kind(detail)
    if problem.get("detail"):
        return UnexpectedAnswer(f"{detail} (HTTP status {status})")
    return UnexpectedAnswer(f"what answers is no supervisor, with HTTP status {status}: name its address with Client(url) or MUSTER_URL")


def _hint_of(problems: List[str]) -> str:
    """An option among the parameters is what comes to mind first."""
    unknown = (_UNKNOWN.search(problem) for problem in problems)
    taken = next((found[1] for found in unknown if found and found[1] in _OPTION_NAMES), None)
    return "" if taken is None else f"; an option is given as _options=Options({taken}=...)"


def problem_of(answer: Answer) -> Mapping[str, Any]:
    """What an error says of itself; empty when it is not a supervisor's."""
    try:
        told = from_json(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _detail(answer: Answer) -> str:
    return str(problem_of(answer).get("detail") or f"status {answer.status}")


Accepted = Tuple[str, bool, Tuple[records.Pause, ...]]
"""What was submitted: its id, whether its idempotency key was known, and the pauses that keep it from starting."""


def _paused_by(told: Mapping[str, Any]) -> Tuple[records.Pause, ...]:
    return tuple(read(records.Pause, one) for one in told.get("paused_by") or ())


def submit(workflow: str, parameters: Any, options: Options, patience: Patience) -> Plan[Accepted]:
    """Submits. The id is ours, so that the same question twice is one execution."""
    execution_id, body = checked(options).body(workflow, parameters)
    told = yield from ask(Request("POST", "/api/executions", {}, body), patience)
    accepted = str(told.get("execution_id", execution_id))
    # With the id of ours it is what this very call made, and asked for twice.
    return accepted, bool(told.get("existing")) and accepted != execution_id, _paused_by(told)


Made = Union[Accepted, MusterError]
"""What became of one of many, or why there is none."""


def submit_many(workflow: str, parameters: Iterable[Any], options: Options, patience: Patience) -> Plan[List[Made]]:
    """Submits an execution for each of the parameters, many in one question; what became of each, in their order."""
    made: Dict[int, Made] = {}
    waiting: List[Tuple[int, bytes]] = []
    if isinstance(parameters, (Mapping, str, bytes)):
        raise TypeError("submit_many(workflow, parameters): a list with the parameters of each, as in [{'name': 'Ada'}]")
    for place, value in enumerate(parameters):
        try:
            waiting.append((place, options.body(workflow, value)[1]))
        except MusterError as error:
            made[place] = error
    while waiting:
        group: List[Tuple[int, bytes]] = []
        rest: List[Tuple[int, bytes]] = []
        size = 0
        for one in waiting:
            fits = not group or (len(group) < _MANY and size + len(one[1]) <= _MANY_BYTES)
            (group if fits and not rest else rest).append(one)
            size += len(one[1])
        body = b"[" + b",".join(body for _, body in group) + b"]"
        told = yield from ask(Request("POST", "/api/executions/batch", {}, body), patience)
        again = []
        for one, item in zip(group, told["executions"]):
            problem = item.get("problem")
            if problem is None:
                made[one[0]] = (str(item["execution_id"]), bool(item.get("existing")), _paused_by(item))
            elif problem.get("status") in _PASSING:
                again.append(one)
            else:
                made[one[0]] = told_error(int(problem.get("status", 0)), problem)
        if again:
            yield patience.spend("the database does not answer")
        waiting = again + rest
    return [made[place] for place in range(len(made))]


def checked(options: Options) -> Options:
    """The options, unless they are something else: a dictionary comes to mind first."""
    if not isinstance(options, Options):
        raise TypeError(f"_options must be Options(timeout=30, ...), not a {type(options).__name__}")
    return options


def refuse_names(options: Options) -> None:
    """What names one execution cannot be said of many."""
    checked(options)
    for name in ("execution_id", "idempotency_key"):
        if getattr(options, name) is not None:
            raise TypeError(f"{name}: each of many has one of its own; submit one by one to choose them")


def get(execution_id: str, patience: Patience) -> Plan[Execution]:
    """The row of an execution."""
    told = yield from ask(Request("GET", execution_path(execution_id), {}), patience)
    return read(Execution, told)


class Crowd:
    """Those that wait through the connections of one client. The more they are, the sooner each makes room for the next."""

    def __init__(self, connections: int | None) -> None:
        self._connections = connections or 1
        self.waiting = 0

    def wait_seconds(self) -> float:
        """How long one question may wait."""
        if self.waiting <= self._connections:
            return WAIT_SECONDS
        return max(_WAIT_LEAST_SECONDS, WAIT_SECONDS * self._connections / self.waiting)


def appeared(execution_id: str, patience: Patience) -> Plan[Execution]:
    """The row of an execution that was published, as soon as a supervisor has taken its message in."""
    pause = _PAUSE_SECONDS
    while True:
        try:
            return (yield from get(execution_id, patience))
        except NotFound:
            yield Pause(pause)
            pause = min(pause * 2, _PAUSE_MAX_SECONDS)


def wait(
    execution_id: str, url: str, patience: float, timeout: float | None, crowd: Crowd, *, is_published: bool = False
) -> Plan[Execution]:
    """The row of an execution once it is over, or `NotFinished`. Of one that was published there may be no row yet."""
    crowd.waiting += 1
    try:
        return (yield from _wait(execution_id, url, patience, timeout, crowd, is_published))
    finally:
        crowd.waiting -= 1


def _wait(
    execution_id: str, url: str, patience: float, timeout: float | None, crowd: Crowd, is_published: bool
) -> Plan[Execution]:
    deadline = None if timeout is None else monotonic() + timeout
    patient = Patience(url, patience, deadline)
    seen: Execution | None = None
    absent = _ABSENT_SECONDS
    while True:
        most = crowd.wait_seconds()
        left = most if deadline is None else min(most, max(0.0, deadline - monotonic()))
        request = Request(
            "GET", execution_path(execution_id), {"wait": f"{left:.3f}"}, seconds=left + ANSWER_SECONDS
        )
        began = monotonic()
        try:
            seen = read(Execution, (yield from ask(request, patient)))
        except NotFound:
            if not is_published or seen is not None:
                raise
            if deadline is not None and monotonic() >= deadline:
                raise NotFinished(
                    f"execution {execution_id} was published, and no supervisor has taken it in after {timeout:g} s: it waits in "
                    "RabbitMQ, is among the dead letters (`supervisor dead list`), or repeats an idempotency key: then the "
                    "execution that came first with it has the result",
                    None,
                ) from None
            yield Pause(absent if deadline is None else min(absent, max(deadline - monotonic(), 0.0)))
            absent = min(absent * 2, _PAUSE_MAX_SECONDS)
            continue
        if seen.is_over:
            return seen
        if deadline is not None and monotonic() >= deadline:
            raise NotFinished(
                f"execution {execution_id} is {seen.status} after {timeout:g} s of waiting: it goes on; "
                "wait again with handle(id).result(), or cancel it",
                seen,
            )
        if monotonic() - began < left / 2:
            # It leaves and answers at once; the next one may be a while.
            yield Pause(_PAUSE_SECONDS)


def result_of(execution: Execution) -> Any:
    """What the workflow returned, or the error that says why there is nothing."""
    if execution.status != "SUCCESS":
        raise outcome_error(execution)
    return execution.result


def explain(execution_id: str, patience: Patience) -> Plan[List[Reason]]:
    """Why an execution is where it is."""
    told = yield from ask(Request("GET", execution_path(execution_id, "explain"), {}), patience)
    return [read(Reason, reason) for reason in told["reasons"]]


def list_query(asked: Mapping[str, Any]) -> Dict[str, str | List[str]]:
    """What narrows a list, as it is asked."""
    naive = [name for name, value in asked.items() if isinstance(value, datetime) and value.utcoffset() is None]
    if naive:
        problem = f"{naive[0]}: must have its zone, as in datetime.now(timezone.utc)"
        raise InvalidRequest(problem, [problem])
    texts = {name: value.astimezone(timezone.utc).isoformat() if isinstance(value, datetime) else value for name, value in asked.items()}
    said = {name: value for name, value in texts.items() if value is not None}
    return {name: str(value) if isinstance(value, (str, int)) else [str(one) for one in value] for name, value in said.items()}


def cancel(execution_id: str, patience: Patience) -> Plan[Cancelled]:
    """Asks for an execution to end."""
    told = yield from ask(Request("POST", execution_path(execution_id, "cancel"), {}, b"{}"), patience)
    return read(Cancelled, told)


def retry(execution_id: str, patience: Patience) -> Plan[str]:
    """Runs an execution again as a new one; its id, which is ours, so that the same question twice is one execution."""
    body = to_json({"execution_id": new_id()})
    told = yield from ask(Request("POST", execution_path(execution_id, "retry"), {}, body), patience)
    return str(told["execution_id"])


def pause(target: str, why: str | None, patience: Patience) -> Plan[records.Pause]:
    """Lets nothing of a target start. What is paused already stays so, with the last reason."""
    body = to_json({} if why is None else {"why": why})
    told = yield from ask(Request("PUT", _pause_path(target), {}, body), patience)
    return read(records.Pause, told)


def resume(target: str, patience: Patience) -> Plan[bool]:
    """Lets a target start again; False when it was not paused."""
    told = yield from ask(Request("DELETE", _pause_path(target), {}), patience)
    return bool(told["was_paused"])


def pauses(patience: Patience) -> Plan[List[records.Pause]]:
    """All that is paused."""
    told = yield from ask(Request("GET", "/api/pauses", {}), patience)
    return [read(records.Pause, one) for one in told["pauses"]]


def limits(patience: Patience) -> Plan[List[records.Limit]]:
    """All limits that are set, or that executions name."""
    told = yield from ask(Request("GET", "/api/limits", {}), patience)
    return [read(records.Limit, one) for one in told["limits"]]


def _pause_path(target: str) -> str:
    return f"/api/pauses/{_part(target)}"


def interrupted(error: Exception, patience: Patience) -> Plan[None]:
    """A stream broke or did not begin: pause, or the error that it tells."""
    answer = getattr(error, "answer", None)
    if isinstance(answer, Answer) and answer.status not in _PASSING:
        raise refusal(answer) from None
    yield patience.spend(_detail(answer) if isinstance(answer, Answer) else str(error))


def breath(is_over: bool) -> Plan[None]:
    """A stream came to its end: a pause before the next one, unless that was the end of all."""
    if not is_over:
        yield Pause(_PAUSE_SECONDS)


def page(path: str, query: Mapping[str, str | Sequence[str]], patience: Patience) -> Plan[Any]:
    """A page of a list."""
    return (yield from ask(Request("GET", path, query), patience))
