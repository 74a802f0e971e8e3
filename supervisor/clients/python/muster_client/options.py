"""What may be said of a submission beside its workflow and parameters."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Sequence

from .errors import InvalidRequest
from .values import to_json

_NO_ZONE = "must have its zone, as in datetime.now(timezone.utc) + timedelta(hours=1)"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be said of a submission. What is left out is for the workflow and the settings to say."""

    timeout: float | None = None
    """The limit of its run, in seconds."""
    priority: int | None = None
    """0 to 9; 9 goes first among those that wait."""
    queue: str | None = None
    """The queue it waits in, for the supervisors that serve it."""
    limits: Sequence[str] | None = None
    """The limits it must have room in, by name; four at most."""
    run_at: datetime | str | None = None
    """It does not start before this moment: a `datetime` with its zone, or a text with its offset from UTC (RFC 3339)."""
    delay: float | timedelta | None = None
    """It does not start before so long after it was taken in, in seconds."""
    expires_at: datetime | str | None = None
    """It is cancelled as `Expired` if it has not started by this moment."""
    expires: float | timedelta | None = None
    """It is cancelled as `Expired` if it has not started so long after it was taken in, in seconds."""
    max_attempts: int | None = None
    """How many attempts it may take, the first one included."""
    retry_backoff: float | None = None
    """The wait before the second attempt, in seconds; it doubles with each."""
    retry: Mapping[str, Any] | None = None
    """All of a retry policy: `max_attempts`, `backoff_seconds`, `backoff_factor`, `backoff_max_seconds`, `jitter`, and the lists of
    error types `retry_on` and `give_up_on`."""
    webhook: str | Mapping[str, Any] | None = None
    """Who is told what it came to, signed with the secret `webhook.request`: an address, or `url` and `events`, a list of what it is
    told of: `SUCCESS`, `FAILED`, `TIMEOUT`, `CANCELLED`."""
    organization: str | uuid.UUID | None = None
    """The id of the organization that it runs for."""
    idempotency_key: str | None = None
    """A second submission with this key is this execution; with other parameters it is `IdempotencyKeyReused`. Keys are the
    organization's own."""
    idempotency: float | timedelta | None = None
    """How long the key is remembered, in seconds; as long as the settings say if it is left out."""
    execution_id: str | uuid.UUID | None = None
    """Its id, made here if it is left out. The same id twice is one execution: derive it from an order's number, say."""
    caller: Mapping[str, Any] | None = None
    """Who asks: `user_id`, `name`, `email`."""
    startup: Any = None
    """Values for the run that are no parameters."""
    form_id: str | None = None
    """The form that it came from, for whoever reads the row."""
    api_key_id: str | None = None
    """The API key that it came with, for whoever reads the row."""
    traceparent: str | None = None
    """The W3C trace context it belongs to."""

    def __post_init__(self) -> None:
        moments = {"run_at": self.run_at, "expires_at": self.expires_at}
        problems = [f"{name}: {_NO_ZONE}, not {value!r}" for name, value in moments.items() if _is_naive(value)]
        if problems:
            raise InvalidRequest("; ".join(problems), problems)

    def body(self, workflow: str, parameters: Any) -> tuple[str, bytes]:
        """The execution's id and the body that asks for it."""
        execution_id = new_id() if self.execution_id is None else str(self.execution_id)
        said = {
            "execution_id": execution_id,
            "workflow": workflow,
            "parameters": parameters,
            "timeout_seconds": self.timeout,
            "priority": self.priority,
            "queue": self.queue,
            "limits": None if self.limits is None else list(self.limits),
            "run_at": _moment(self.run_at),
            "delay_seconds": _seconds(self.delay),
            "expires_at": _moment(self.expires_at),
            "expires_seconds": _seconds(self.expires),
            "idempotency_key": self.idempotency_key,
            "idempotency_seconds": _seconds(self.idempotency),
            "max_attempts": self.max_attempts,
            "retry_backoff_seconds": self.retry_backoff,
            "retry": self.retry,
            "webhook": {"url": self.webhook} if isinstance(self.webhook, str) else self.webhook,
            "organization_id": None if self.organization is None else str(self.organization),
            "caller": self.caller,
            "startup": self.startup,
            "form_id": self.form_id,
            "api_key_id": self.api_key_id,
            "traceparent": self.traceparent,
        }
        told = {name: value for name, value in said.items() if value is not None or name == "parameters"}
        return execution_id, to_json(told)


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is None


def _moment(value: datetime | str | None) -> str | None:
    # An offset that is no whole number of minutes has no place in RFC 3339.
    return value.astimezone(timezone.utc).isoformat() if isinstance(value, datetime) else value


def _seconds(value: float | timedelta | None) -> float | None:
    return value.total_seconds() if isinstance(value, timedelta) else value


NO_OPTIONS = Options()


def new_id() -> str:
    """A UUID of version 7: in the order of time, as databases like their keys."""
    moment = time.time_ns() // 1_000_000
    value = (moment & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def parameters_of(positional: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """The parameters of a call: named ones, or one value that holds all of them."""
    if not positional:
        return dict(named)
    if len(positional) > 1 or named:
        raise TypeError(
            "give parameters by name, as in submit('greet', name='Ada'), or all of them in one value, "
            "as in submit('greet', {'name': 'Ada'})"
        )
    return positional[0]
