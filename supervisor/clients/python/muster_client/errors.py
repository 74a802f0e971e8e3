"""What can go wrong, each with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Sequence

if TYPE_CHECKING:
    from .handles import AsyncSubmitted, Submitted
    from .records import Execution


class MusterError(Exception):
    """Everything that this client raises."""


class MusterUnavailable(MusterError):
    """No supervisor answered for as long as the client was patient."""


class Unauthorized(MusterError):
    """The supervisor wants a token, or another one."""


class Forbidden(MusterError):
    """The token's role is too small for this, or it is bound to another organization."""


class InvalidRequest(MusterError, ValueError):
    """The supervisor refused the request; nothing was submitted. `problems` has all that is wrong with it."""

    def __init__(self, message: str, problems: Sequence[str]) -> None:
        super().__init__(message)
        self.problems = list(problems)


class IdempotencyKeyReused(InvalidRequest):
    """The idempotency key belongs to an execution of another workflow or with other parameters; nothing was submitted."""


class NotFound(MusterError, LookupError):
    """There is no such execution."""


class Conflict(MusterError):
    """It cannot be done in the state that the execution is in, or the id of a submission belongs to another workflow or other parameters."""


class LimitReached(Conflict):
    """One of its limits is full and refuses more (`on_full`); nothing was submitted.

    `execution_id` is one that is in the limit; None when the limit lets nobody in.
    """

    def __init__(self, message: str, execution_id: str | None) -> None:
        super().__init__(message)
        self.execution_id = execution_id


class UnexpectedAnswer(MusterError):
    """What answers is no supervisor, or one of another version, or one that failed."""


class NotFinished(MusterError, TimeoutError):
    """The execution was not over when the time to wait for it was. It goes on."""

    def __init__(self, message: str, execution: Execution | None) -> None:
        super().__init__(message)
        self.execution = execution


class ExecutionError(MusterError):
    """An execution that is over and has no result. `execution` is its row."""

    def __init__(self, message: str, execution: Execution) -> None:
        super().__init__(message)
        self.execution = execution

    @property
    def error_type(self) -> str:
        """The type of the error, in most languages the name of its class."""
        return self.execution.error_type or ""

    @property
    def message(self) -> str:
        """What a person should read."""
        return self.execution.error_message or ""

    @property
    def stack(self) -> str:
        """Where it happened; empty when the worker told no stack."""
        return self.execution.error_stack or ""


class ExecutionFailed(ExecutionError):
    """The workflow raised an error, or its worker died."""


class ExecutionTimeout(ExecutionError):
    """The execution took longer than its time limit and was ended."""


class ExecutionCancelled(ExecutionError):
    """Somebody cancelled the execution."""


class SubmitManyFailed(MusterError):
    """Some of many could not be submitted.

    `errors` has them by their place; `handles` has those that were submitted, and None in the places of the others.
    """

    def __init__(
        self, handles: Sequence[Submitted | None] | Sequence[AsyncSubmitted | None], errors: Mapping[int, MusterError]
    ) -> None:
        place, first = next(iter(sorted(errors.items())))
        super().__init__(
            f"{len(errors)} of {len(handles)} could not be submitted, the first at place {place}: {first}; "
            "`errors` has all of them, `handles` those that were submitted"
        )
        self.handles = list(handles)
        self.errors = dict(errors)


def outcome_error(execution: Execution) -> ExecutionError:
    """The error of an execution that is over without a success."""
    kind = execution.error_type or "no error type"
    words = f"{kind}: {execution.error_message or 'no message'}"
    see = f"(execution {execution.execution_id}: `supervisor show` and `logs` have its record"
    label = execution.workflow or "the workflow"
    if execution.status == "TIMEOUT":
        return ExecutionTimeout(f"{label}: {words}; give it more time with Options(timeout=...) {see})", execution)
    if execution.status == "CANCELLED":
        return ExecutionCancelled(f"{label} was cancelled: {words} {see}; `retry` runs it again)", execution)
    return ExecutionFailed(f"{label}: {words} {see})", execution)
