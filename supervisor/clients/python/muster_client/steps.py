"""What is asked of a supervisor: the sync and the async client take the same steps."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from . import records
from .asking import (
    PASSING,
    PAUSE_SECONDS,
    Answer,
    Patience,
    Pause,
    Plan,
    Request,
    ask,
    detail_of,
    execution_path,
    part_of_path,
    refusal,
    told_error,
)
from .errors import InvalidRequest, MusterError, UnexpectedAnswer, outcome_error
from .options import Options, new_id
from .records import Cancelled, Execution, Reason, read
from .values import to_json

_MANY = 1_000
_MANY_BYTES = 8 * 1024 * 1024


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
        if len(told["executions"]) != len(group):
            raise UnexpectedAnswer("what answers is no supervisor: it does not say what became of each of many")
        again = []
        for one, item in zip(group, told["executions"]):
            problem = item.get("problem")
            if problem is None:
                made[one[0]] = (str(item["execution_id"]), bool(item.get("existing")), _paused_by(item))
            elif problem.get("status") in PASSING:
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
    return f"/api/pauses/{part_of_path(target)}"


def interrupted(error: Exception, patience: Patience) -> Plan[None]:
    """A stream broke or did not begin: pause, or the error that it tells."""
    answer = getattr(error, "answer", None)
    if isinstance(answer, Answer) and answer.status not in PASSING:
        raise refusal(answer) from None
    yield patience.spend(detail_of(answer) if isinstance(answer, Answer) else str(error))


def breath(is_over: bool) -> Plan[None]:
    """A stream came to its end: a pause before the next one, unless that was the end of all."""
    if not is_over:
        yield Pause(PAUSE_SECONDS)


def page(path: str, query: Mapping[str, str | Sequence[str]], patience: Patience) -> Plan[Any]:
    """A page of a list."""
    return (yield from ask(Request("GET", path, query), patience))
