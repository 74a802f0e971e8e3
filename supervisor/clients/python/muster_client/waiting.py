"""Waiting for an execution to be over, step by step."""

from __future__ import annotations

from time import monotonic

from .asking import ANSWER_SECONDS, PAUSE_MAX_SECONDS, PAUSE_SECONDS, Patience, Pause, Plan, Request, ask, execution_path
from .errors import NotFinished, NotFound
from .records import Execution, read

WAIT_SECONDS = 30.0
"""How long one question waits for the end of an execution, as long as there are connections enough."""
_WAIT_LEAST_SECONDS = 1.0
_ABSENT_SECONDS = 0.01
"""The first pause for a message that was published and is no row yet: most are within milliseconds."""


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
    pause = PAUSE_SECONDS
    while True:
        try:
            return (yield from get(execution_id, patience))
        except NotFound:
            yield Pause(pause)
            pause = min(pause * 2, PAUSE_MAX_SECONDS)


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
            absent = min(absent * 2, PAUSE_MAX_SECONDS)
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
            yield Pause(PAUSE_SECONDS)
