"""What the supervisor tells: rows of executions, log lines, answers. Fields that a newer one adds are in `raw`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, Literal, Mapping, Sequence, TypeVar

Status = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"]
"""The state of an execution."""

_OVER = frozenset({"SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"})
_MOMENTS = frozenset({"at", "published_at", "created_at", "started_at", "completed_at", "run_after", "expires_at", "cancel_requested_at", "since"})

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The row of an execution. In lists `parameters`, `result` and `error_stack` are left out."""

    execution_id: str
    status: Status
    workflow: str | None = None
    workflow_id: str | None = None
    organization_id: str | None = None
    caller: Mapping[str, Any] | None = None
    parameters: Any = None
    result: Any = None
    error_type: str | None = None
    error_message: str | None = None
    error_stack: str | None = None
    duration_ms: int | None = None
    metrics: Mapping[str, Any] | None = None
    end_cause: Mapping[str, Any] | None = None
    attempt: int = 0
    attempts_charged: int = 0
    max_attempts: int = 0
    timeout_seconds: float | None = None
    priority: int = 0
    queue: str | None = None
    limits: Sequence[Mapping[str, str]] = ()
    """The limits it must have room in: `name`, and the `key` it counts for."""
    waits_for: str | None = None
    """What it waits for beside its moment and a worker: `limit:NAME`, `limit:NAME:KEY`, `pause:TARGET`."""
    retry_of: str | None = None
    idempotency_key: str | None = None
    existing: bool = False
    published_at: datetime | None = None
    """When the message that brought it was published, where that says so: it has waited since then."""
    created_at: datetime | None = None
    run_after: datetime | None = None
    expires_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_over(self) -> bool:
        """True when nothing changes any more."""
        return self.status in _OVER


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line of an execution's log."""

    message: str
    level: str
    attempt: int
    sequence: int
    at: datetime | None = None
    stream: str = "log"
    logger: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing to say of an execution, as data (`kind`) and as a sentence (`message`)."""

    kind: str
    message: str
    is_blocking: bool
    """True: it does not start while this is so."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """What a cancel led to: `cancelled` (it will never run), `requested` (its worker is asked to end it),
    `already_finished` or `unknown`."""

    execution_id: str
    outcome: Literal["cancelled", "requested", "already_finished", "unknown"]
    status: Status


@dataclass(frozen=True, kw_only=True)
class Pause:
    """One thing that is paused: nothing of it starts, what runs goes on."""

    target: str
    """`all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`."""
    who: str
    """Who asked for it, as far as they said, and from where."""
    why: str | None = None
    since: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many executions may run at once, and how full that is."""

    name: str
    running: int
    waiting: int
    """How many wait for room in it; a hundred thousand may be more."""
    terms: Mapping[str, Any] | None = None
    """What it allows: `total`, `per_key`, `rate`, `burst`, the `key` it counts by and `on_full`; None when nobody has set it, and it holds nothing back."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def read(kind: type[T], told: Mapping[str, Any]) -> T:
    """A record from what was told. What is unknown here stays in `raw`, if it has one."""
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    values = {name: _value(name, value) for name, value in told.items() if name in names and name != "raw"}
    if kind is LogLine and values.get("fields") is None:
        values.pop("fields", None)
    if "raw" in names:
        values["raw"] = told
    return kind(**values)


def _value(name: str, value: Any) -> Any:
    return moment(value) if name in _MOMENTS and isinstance(value, str) else value


def moment(text: str) -> datetime:
    """A moment as the supervisor writes it, with up to nine digits of a second; Python keeps six."""
    whole, dot, rest = text.removesuffix("Z").partition(".")
    value = datetime.fromisoformat(whole + (dot + rest[:6].ljust(6, "0") if dot else ""))
    return value.replace(tzinfo=timezone.utc)
