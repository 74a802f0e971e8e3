"""What code declares of a workflow beside its function: policies that the supervisor enforces."""

from __future__ import annotations

from typing import Any, Iterable, List, NamedTuple, Optional, Type, Union

from .wire.messages import DeclaredConcurrency, DeclaredRetry

ErrorType = Union[str, Type[BaseException]]
"""An exception class, or the name of one."""

_MS_MAX = 2**53 - 1
_LIMITS_MAX = 4


class Policy(NamedTuple):
    """What `@workflow(...)` was given; None or empty is not declared."""

    timeout_seconds: Optional[float] = None
    retry: DeclaredRetry = DeclaredRetry()
    concurrency: DeclaredConcurrency = DeclaredConcurrency()
    limits: List[str] = []
    queue: str = ""


NOTHING_DECLARED = Policy()


def policy_of(
    timeout: Optional[float],
    retries: Optional[int],
    backoff: Optional[float],
    backoff_factor: Optional[float],
    backoff_max: Optional[float],
    retry_on: Iterable[ErrorType],
    give_up_on: Iterable[ErrorType],
    max_concurrent: Optional[int],
    key: Optional[str],
    limits: Iterable[str],
    queue: Optional[str],
) -> Policy:
    """Checks what was declared. A mistake is a mistake of the file, with the name of the argument."""
    retry = DeclaredRetry(
        None if retries is None else _whole("retries", retries, 0) + 1,
        _milliseconds("backoff", backoff),
        None if backoff_factor is None else round(_number("backoff_factor", backoff_factor, 0) * 100),
        _milliseconds("backoff_max", backoff_max),
        _names("retry_on", retry_on),
        _names("give_up_on", give_up_on),
    )
    most = None if max_concurrent is None else _whole("max_concurrent", max_concurrent, 1)
    concurrency = DeclaredConcurrency(None, most, _text("key", key)) if key else DeclaredConcurrency(most)
    named = [_text("limits", one) for one in ([limits] if isinstance(limits, str) else limits)]
    if len(named) > _LIMITS_MAX:
        raise ValueError(f"workflow limits {named!r}: at most {_LIMITS_MAX}")
    if timeout is not None and not _number("timeout", timeout, 0) > 0:
        raise ValueError(f"workflow timeout {timeout!r}: it must be a number of seconds above 0")
    return Policy(timeout, retry, concurrency, named, _text("queue", queue) if queue else "")


def _number(name: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= _MS_MAX / 1000:
        raise ValueError(f"workflow {name} {value!r}: it must be a number of at least {least:g}")
    return value


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
        raise ValueError(f"workflow {name} {value!r}: it must be a whole number of at least {least}")
    return value


def _milliseconds(name: str, seconds: Optional[float]) -> Optional[int]:
    return None if seconds is None else round(_number(name, seconds, 0) * 1000)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"workflow {name} {value!r}: it must be a text")
    return value


def _names(name: str, types: Iterable[ErrorType]) -> List[str]:
    several: Iterable[ErrorType] = [types] if isinstance(types, (str, type)) else types
    return [one.__name__ if isinstance(one, type) else _text(name, one) for one in several]
