"""The `@workflow` decorator and what it leaves behind."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Callable, Iterable, Optional, TypeVar, Union, overload

from .binding import Signature
from .hooks import Reach
from .policy import NOTHING_DECLARED, ErrorType, Policy, policy_of
from .submitting import Submitter

_MARK = "__muster_workflow__"
_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")

if TYPE_CHECKING:
    from typing import ParamSpec, Protocol

    from muster_client import AsyncSubmitted, Submitted

    Parameters = ParamSpec("Parameters")
    Returned = TypeVar("Returned", covariant=True)

    class WorkflowFunction(Protocol[Parameters, Returned]):
        """A function that can be called as it stands, and submitted."""

        __name__: str
        __module__: str

        def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
            """Calls it, here and now."""

        def submit(self, *args: Any, **params: Any) -> Submitted:
            """Submits an execution of it with these arguments. `_options` takes `muster_client.Options`."""

        async def submit_async(self, *args: Any, **params: Any) -> AsyncSubmitted:
            """The same for coroutines."""


class Definition:
    """A function that can be run by name."""

    def __init__(self, function: Callable[..., Any], name: str, policy: Policy = NOTHING_DECLARED) -> None:
        self.function = function
        self.name = name
        self.policy = policy
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = Signature(function)
        self.reach: Reach = lambda: None
        """The modules that its file imports, for hooks."""

    @property
    def where(self) -> str:
        """File and line, for lists and messages."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(self.function)


@overload
def workflow(function: Callable[Parameters, Returned]) -> WorkflowFunction[Parameters, Returned]: ...


@overload
def workflow(
    *,
    name: Optional[str] = None,
    timeout: Optional[float] = None,
    retries: Optional[int] = None,
    backoff: Optional[float] = None,
    backoff_factor: Optional[float] = None,
    backoff_max: Optional[float] = None,
    retry_on: Union[ErrorType, Iterable[ErrorType]] = (),
    give_up_on: Union[ErrorType, Iterable[ErrorType]] = (),
    max_concurrent: Optional[int] = None,
    key: Optional[str] = None,
    limits: Union[str, Iterable[str]] = (),
    queue: Optional[str] = None,
) -> Callable[[Callable[Parameters, Returned]], WorkflowFunction[Parameters, Returned]]: ...


def workflow(
    function: Any = None,
    *,
    name: Optional[str] = None,
    timeout: Optional[float] = None,
    retries: Optional[int] = None,
    backoff: Optional[float] = None,
    backoff_factor: Optional[float] = None,
    backoff_max: Optional[float] = None,
    retry_on: Any = (),
    give_up_on: Any = (),
    max_concurrent: Optional[int] = None,
    key: Optional[str] = None,
    limits: Any = (),
    queue: Optional[str] = None,
) -> Any:
    """Makes a function, sync or async, a workflow: `@workflow` or `@workflow(name=..., timeout=...)`.

    The function itself is returned, so it can be called and tested as it stands. `submit` on it submits an execution with
    the arguments of a call, and `await` on `submit_async` does so in a coroutine; both need the package `muster-client` in
    an application. The rest is for the
    supervisor, which enforces it where neither the request nor the workflow's row says otherwise: `timeout` is the
    limit of a run in seconds; a failure is tried again `retries` times, `backoff` seconds later, each time
    `backoff_factor` times longer up to `backoff_max`, for errors in `retry_on` (all, if it is empty) and not in
    `give_up_on`. `max_concurrent` of them run at once in the whole fleet, for each `key` if there is one, `limits` names
    others that they count in, and `queue` is where executions wait that do not say.
    """
    policy = policy_of(
        timeout, retries, backoff, backoff_factor, backoff_max, retry_on, give_up_on, max_concurrent, key, limits, queue
    )

    def mark(target: Any) -> Any:
        chosen = name or target.__name__
        if not _NAME.fullmatch(chosen):
            raise ValueError(f"workflow name {chosen!r}: use letters, digits, '_', '-', '.' and '/' between them")
        mark_as(target, Definition(target, chosen, policy))
        submitter = Submitter(target, chosen)
        target.submit, target.submit_async = submitter, submitter.in_coroutine
        return target

    if function is None:
        return mark
    if not callable(function):
        raise TypeError("use @workflow, or @workflow(name=..., timeout=...)")
    return mark(function)


def mark_as(target: Any, definition: Definition) -> None:
    """Leaves a definition on something, where `definition_of` finds it."""
    setattr(target, _MARK, definition)


def definition_of(value: Any) -> Optional[Definition]:
    """The definition `@workflow` left on a function, if it is one."""
    found = getattr(value, "__dict__", {}).get(_MARK)
    return found if isinstance(found, Definition) else None
