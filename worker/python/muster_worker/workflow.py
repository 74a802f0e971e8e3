"""The `@workflow` decorator and what it leaves behind."""

from __future__ import annotations

import inspect
import re
from typing import Any, Callable, Optional, TypeVar, overload

from .binding import Signature
from .hooks import Reach

_MARK = "__muster_workflow__"
_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")

Function = TypeVar("Function", bound=Callable[..., Any])


class Definition:
    """A function that can be run by name."""

    def __init__(
        self, function: Callable[..., Any], name: str, timeout_seconds: Optional[float] = None
    ) -> None:
        self.function = function
        self.name = name
        self.timeout_seconds = timeout_seconds
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
def workflow(function: Function) -> Function: ...


@overload
def workflow(*, name: Optional[str] = None, timeout: Optional[float] = None) -> Callable[[Function], Function]: ...


def workflow(function: Any = None, *, name: Optional[str] = None, timeout: Optional[float] = None) -> Any:
    """Makes a function, sync or async, a workflow: `@workflow` or `@workflow(name=..., timeout=...)`.

    The function itself is returned unchanged, so it can be called and tested as it stands. `timeout` is
    in seconds and holds beside the execution's own; the smaller one wins.
    """

    def mark(target: Any) -> Any:
        chosen = name or target.__name__
        if not _NAME.fullmatch(chosen):
            raise ValueError(f"workflow name {chosen!r}: use letters, digits, '_', '-', '.' and '/' between them")
        setattr(target, _MARK, Definition(target, chosen, timeout))
        return target

    if timeout is not None and not timeout > 0:
        raise ValueError(f"workflow timeout {timeout!r}: it must be a number of seconds above 0")
    if function is None:
        return mark
    if not callable(function):
        raise TypeError("use @workflow, or @workflow(name=..., timeout=...)")
    return mark(function)


def definition_of(value: Any) -> Optional[Definition]:
    """The definition `@workflow` left on a function, if it is one."""
    found = getattr(value, "__dict__", {}).get(_MARK)
    return found if isinstance(found, Definition) else None
