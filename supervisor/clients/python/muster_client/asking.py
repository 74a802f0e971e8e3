"""How a supervisor is asked, step by step, without I/O: questions, answers, the errors that these tell, and for how long it is asked again.

A plan is a generator. It yields a `Request` and gets an `Answer`, or yields a `Pause` and gets None when that is over.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, fields
from time import monotonic
from typing import Any, Generator, List, Mapping, Sequence, TypeVar
from urllib.parse import quote

from .errors import (
    Conflict,
    Forbidden,
    IdempotencyKeyReused,
    InvalidRequest,
    LimitReached,
    MusterError,
    MusterUnavailable,
    NotFound,
    Unauthorized,
    UnexpectedAnswer,
)
from .options import Options
from .values import from_json

T = TypeVar("T")

ANSWER_SECONDS = 30.0
"""How long an answer may take, beyond the time it was asked to wait."""
PAUSE_SECONDS = 0.1
PAUSE_MAX_SECONDS = 2.0
PASSING = (502, 503, 504)
_UNKNOWN = re.compile(r"parameters\.(\w+): is not known")
_OPTION_NAMES = frozenset(one.name for one in fields(Options))


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
        self._pause = PAUSE_SECONDS

    def renew(self) -> None:
        """It answered."""
        self._away_since = None
        self._pause = PAUSE_SECONDS

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
        self._pause = min(self._pause * 2, PAUSE_MAX_SECONDS)
        return Pause(pause)

    def _given_up(self, reason: str, seconds: float) -> str:
        return (
            f"no supervisor answers at {self._url} ({reason}), asked for {seconds:.0f} s: "
            "start one with `supervisor run`, or name another with Client(url) or MUSTER_URL"
        )


def execution_path(execution_id: str, *more: str) -> str:
    """The path of an execution, or of what belongs to it."""
    return "/".join(("/api/executions", part_of_path(execution_id), *more))


def part_of_path(name: str) -> str:
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
        if answer.status in PASSING:
            yield patience.spend(detail_of(answer))
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


def detail_of(answer: Answer) -> str:
    """What it says in a sentence, else its status."""
    return str(problem_of(answer).get("detail") or f"status {answer.status}")
