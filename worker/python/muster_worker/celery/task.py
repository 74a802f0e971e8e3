"""`@shared_task`, and what it makes of a function."""

from __future__ import annotations

import functools
import inspect
import uuid
from typing import Any, Callable, Dict, Mapping, NoReturn, Optional, Sequence, Tuple, Type, Union

from ..context import context
from ..current import current_or_none
from ..hints import signature_of
from ..policy import policy_of
from ..submitting import need_client, params_of_call
from ..workflow import Definition, mark_as
from .errors import OUT_OF_TASK, MaxRetriesExceededError, Retry, UnsupportedName, UnsupportedOption
from .options import delay_of, refuse_others, window_of
from .result import AsyncResult

_ASKED = "args, kwargs, task_id, countdown, eta, expires, queue, priority and time_limit"
_DECLARED = (
    "name, bind, max_retries, default_retry_delay, autoretry_for, dont_autoretry_for, retry_kwargs, retry_backoff, "
    "retry_backoff_max, time_limit and priority"
)


class Request:
    """`self.request`: what a task knows of the execution that it is in."""

    @property
    def called_directly(self) -> bool:
        """True outside of a worker."""
        return current_or_none() is None

    @property
    def id(self) -> Optional[str]:
        """The id of the execution."""
        return None if self.called_directly else context.execution_id

    @property
    def retries(self) -> int:
        """How many attempts there were before this one."""
        return 0 if self.called_directly else context.attempt - 1


class Task:
    """A function that Celery's decorator stood over: it can be called, and sent."""

    def __init__(self, function: Callable[..., Any], bind: bool, name: str, priority: Optional[int], retries: int) -> None:
        functools.update_wrapper(self, function)
        self.name = name
        self.max_retries = retries
        self.request = Request()
        self._bind = bind
        self._function = function
        self._priority = priority
        self._first_wait, self._factor = 0.0, 1.0
        self._longest: Optional[float] = None
        self._autoretry_for: Tuple[Type[BaseException], ...] = ()
        self._dont_autoretry_for: Tuple[Type[BaseException], ...] = ()
        self._runner = self._make_runner()

    def __repr__(self) -> str:
        return f"<@shared_task: {self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function, here and now."""
        return self._function(self, *args, **kwargs) if self._bind else self._function(*args, **kwargs)

    run = __call__

    def __getattr__(self, name: str) -> Any:
        if name in OUT_OF_TASK:
            raise UnsupportedName(f"{name} of a task is not supported: {OUT_OF_TASK[name]}")
        raise AttributeError(f"a task has no {name!r}")

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult:
        """Sends it with these arguments."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
        task_id: Optional[str] = None,
        *,
        countdown: Optional[float] = None,
        eta: Any = None,
        expires: Any = None,
        queue: Optional[str] = None,
        priority: Optional[int] = None,
        time_limit: Optional[float] = None,
        **options: Any,
    ) -> AsyncResult:
        """Sends it. What Muster does not do is refused: see `UnsupportedOption`."""
        where = f"{self.name}.apply_async"
        refuse_others(where, options, _ASKED)
        window = window_of(where, countdown, eta, expires, queue)
        params = params_of_call(self._runner, self.name, tuple(args or ()), dict(kwargs or {}))
        priority = self._priority if priority is None else priority
        if current_or_none() is not None:
            late = {"countdown": countdown or None, "eta": eta, "expires": expires, "queue": queue}
            refuse_in_task = {"task_id": task_id, "time_limit": time_limit, "priority": priority, **late}
            for name, value in refuse_in_task.items():
                if value is not None:
                    raise UnsupportedOption(f"{where}: {name} in a task: what a task sends has no options; leave it out")
            return AsyncResult(context.submit(self.name, params))
        client = need_client()
        said = client.Options(priority=priority, timeout=time_limit, execution_id=_uuid_of(task_id, where), **window)
        return AsyncResult(client.shared_client().submit(self.name, params, _options=said).id)

    def AsyncResult(self, task_id: str) -> AsyncResult:
        """What became of one that was sent before."""
        return AsyncResult(task_id)

    def retry(
        self,
        args: Optional[Sequence[Any]] = None,
        kwargs: Optional[Mapping[str, Any]] = None,
        exc: Optional[BaseException] = None,
        throw: bool = True,
        eta: Any = None,
        countdown: Optional[float] = None,
        max_retries: Optional[int] = None,
        **options: Any,
    ) -> NoReturn:
        """Ends this attempt; another one follows, after the wait that the decorator says. After the last it raises `exc`."""
        where = f"{self.name}.retry"
        if not throw:
            raise UnsupportedOption(f"{where}: throw=False: an attempt that is to be followed by another ends here")
        refuse_others(where, {"args": args, "kwargs": kwargs, "eta": eta, **options}, "exc, countdown and max_retries")
        if max_retries is not None and max_retries > self.max_retries:
            raise UnsupportedOption(
                f"{where}: max_retries={max_retries} is more than the task's {self.max_retries}: write it in the decorator"
            )
        wait = self._wait()
        if countdown is not None and countdown != wait:
            raise UnsupportedOption(
                f"{where}: countdown={countdown!r}, and the task waits {wait:g} s here: the waits are written in the decorator, "
                f"as @shared_task(default_retry_delay={countdown!r}), or retry_backoff=True for waits that double"
            ) from exc
        most = self.max_retries if max_retries is None else max_retries
        if self.request.called_directly or self.request.retries >= most:
            raise exc or MaxRetriesExceededError(f"{self.name} was tried {most + 1} times")
        raise Retry(f"attempt {self.request.retries + 2} of {most + 1} in {wait:g} s: {exc!r}") from exc

    def _wait(self) -> float:
        wait = self._first_wait * self._factor**self.request.retries
        return wait if self._longest is None else min(wait, self._longest)

    def _make_runner(self) -> Callable[..., Any]:
        """The function as a workflow: without `self`, and with the errors that are retried by themselves."""

        @functools.wraps(self._function)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return self(*args, **kwargs)
            except self._autoretry_for as error:
                if isinstance(error, (Retry, *self._dont_autoretry_for)):
                    raise
                self.retry(exc=error)

        signature = signature_of(self._function)
        first = 1 if self._bind else 0
        run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[first:])  # type: ignore[attr-defined]
        return run


def _uuid_of(task_id: Optional[str], where: str) -> Optional[uuid.UUID]:
    if task_id is None:
        return None
    try:
        return uuid.UUID(task_id)
    except ValueError:
        raise UnsupportedOption(f"{where}: task_id={task_id!r}: it must be a UUID, as uuid.uuid5 makes of any text") from None


ErrorTypes = Union[Type[BaseException], Sequence[Type[BaseException]]]


def shared_task(
    function: Optional[Callable[..., Any]] = None,
    *,
    name: Optional[str] = None,
    bind: bool = False,
    max_retries: Optional[int] = 3,
    default_retry_delay: Optional[float] = None,
    autoretry_for: ErrorTypes = (),
    dont_autoretry_for: ErrorTypes = (),
    retry_kwargs: Optional[Mapping[str, Any]] = None,
    retry_backoff: Union[bool, int, float] = False,
    retry_backoff_max: float = 600,
    time_limit: Optional[float] = None,
    priority: Optional[int] = None,
    **options: Any,
) -> Any:
    """Makes a function a task, and a workflow of the same name. It is called `name`, else as the function."""

    def make(target: Callable[..., Any]) -> Task:
        chosen = name or target.__name__
        where = f"@shared_task {chosen}"
        refuse_others(where, options, _DECLARED)
        if inspect.iscoroutinefunction(target):
            raise UnsupportedOption(f"{where}: it is a coroutine, which Celery does not have: use @workflow")
        retries, first, factor, longest = delay_of(
            default_retry_delay, retry_kwargs or {}, retry_backoff, retry_backoff_max, max_retries, where
        )
        task = Task(target, bind, chosen, priority, retries)
        task._first_wait, task._factor, task._longest = first, factor, longest
        task._autoretry_for = _types(autoretry_for)
        task._dont_autoretry_for = _types(dont_autoretry_for)
        declared: Dict[str, Any] = {"retry_on": (Retry,), "give_up_on": ()}
        policy = policy_of(
            time_limit, retries, first, factor, longest, **declared, max_concurrent=None, key=None, limits=(), queue=None
        )
        mark_as(task, Definition(task._runner, chosen, policy))
        return task

    return make if function is None else make(function)


def _types(given: ErrorTypes) -> Tuple[Type[BaseException], ...]:
    return (given,) if isinstance(given, type) else tuple(given)
