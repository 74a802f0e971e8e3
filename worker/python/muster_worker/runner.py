"""Runs one job's user code in the main thread and turns whatever happens into an outcome."""

from __future__ import annotations

from typing import Any, Callable, Tuple, Type

from . import hooks, interrupt
from .current import carried
from .errors import InvalidResult, Rejection, WorkflowTimeout, describe, is_cancellation
from .execution import Execution
from .results import to_json
from .wire.messages import Cancelled, Failed, Outcome, Rejected, Succeeded
from .workflow import Definition

Job = Callable[[], Definition]
"""Loads the user code and says which function of it to run."""
_PLAIN = frozenset((dict, list, str, int, float, bool, type(None)))
"""What most functions return, and nobody can wait for."""
_set_carried = carried.set
# What a named tuple is made by, without a call of its constructor in between.
_made: Callable[[Type[Succeeded], Tuple[bytes]], Succeeded] = tuple.__new__


class Uninterruptible:
    """A job that no cancel may break into, not even before its first line: a sinner of the conformance kit."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition

    def __call__(self) -> Definition:
        return self._definition


def run(execution: Execution, job: Job, params: bytes) -> Outcome:
    """The outcome of an execution. Never raises: a cancel that comes too late changes nothing.

    To be called in a context of the execution's own: it stays the one that the context is of.
    """
    _set_carried(execution)
    try:
        try:
            is_held = type(job) is Uninterruptible
            interrupt.enter(execution, is_held)
            # One that was asked for before anybody could be told.
            if execution.request is not None and not is_held and execution.due():
                raise execution.take_cancel()
            return _made(Succeeded, (call(execution, job(), params),))
        finally:
            interrupt.leave()
    except BaseException as error:
        interrupt.leave()
        return _outcome_of(execution, error)


def call(execution: Execution, definition: Definition, params: bytes, with_hooks: bool = True) -> bytes:
    """Calls the function with the parameters; its result as JSON text."""
    if definition.policy.timeout_seconds is not None and not execution.is_limited:
        execution.limit(definition.policy.timeout_seconds)
    try:
        if with_hooks and hooks.run_starts:
            hooks.start_run(definition.reach)
        result = definition.signature.call(definition.function, execution.workflow, params)
        if definition.is_async or (type(result) not in _PLAIN and hasattr(result, "__await__")):
            result = _run_coroutine(execution, result)
        text = to_json(result)
    except BaseException as error:
        if with_hooks and hooks.run_ends:
            hooks.end_run(error)
        raise
    if with_hooks and hooks.run_ends:
        hooks.end_run(None)
    return text


def _run_coroutine(execution: Execution, awaitable: Any) -> Any:
    import asyncio

    async def main() -> Any:
        execution.task = asyncio.current_task()
        execution.loop = asyncio.get_running_loop()
        return await awaitable

    try:
        return asyncio.run(main())
    finally:
        execution.loop = execution.task = None


def _outcome_of(execution: Execution, error: BaseException) -> Outcome:
    request = execution.request
    if is_cancellation(error, request is not None):
        if request is not None and request.reason == "WorkflowTimeout":
            return Failed(describe(WorkflowTimeout(request.message)))
        return Cancelled(request.message if request is not None else str(error))
    if isinstance(error, Rejection):
        return Rejected(str(error))
    if isinstance(error, SystemExit):
        # A worker serves many executions; one of them cannot end it.
        return Failed(describe(error)._replace(message=f"the workflow called exit({error.code!r})"))
    if isinstance(error, InvalidResult):
        return Failed(describe(error)._replace(stack=""))
    return Failed(describe(error))
