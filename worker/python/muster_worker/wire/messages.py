"""Every message of version 1 as a named tuple. The annotations *are* the layout: see `shared`."""

# No `from __future__ import annotations` here: the codecs read the annotations as objects.
from typing import Annotated, List, NamedTuple, Tuple

from .description import BrokenFile as BrokenFile
from .description import DeclaredConcurrency as DeclaredConcurrency
from .description import DeclaredRetry as DeclaredRetry
from .description import WorkflowDescription as WorkflowDescription
# Whoever needs messages finds here all they are made of.
from .shared import (
    CALL_RESULT as CALL_RESULT, OUTCOME as OUTCOME, SOURCE as SOURCE, CallResult as CallResult,
    CancelReason as CancelReason, Cancelled as Cancelled, CodeText as CodeText, Err as Err,
    ErrorInfo as ErrorInfo, Failed as Failed, Inline as Inline, JsonText as JsonText, Level as Level,
    LogRecord as LogRecord, Metrics as Metrics, Named as Named, Ok as Ok, Outcome as Outcome, Path as Path,
    Rejected as Rejected, Source as Source, Succeeded as Succeeded, U16 as U16, U32 as U32, U64 as U64,
    Variants as Variants,
)
from .shared import requires


@requires("protocol_min", "protocol_max")
class Hello(NamedTuple):
    """The first message, before user code is imported."""

    protocol_min: U16
    protocol_max: U16
    implementation: str
    implementation_version: str
    language: str
    pid: U32
    features: List[str]


class Ready(NamedTuple):
    """User code is loaded, an Execute may come."""

    workflows: List[str]


@requires("error")
class InitFailed(NamedTuple):
    """User code could not be loaded."""

    error: ErrorInfo


@requires("run")
class Started(NamedTuple):
    """Written before user code is entered."""

    run: U32


@requires("run", "records")
class Log(NamedTuple):
    """Log records, in order."""

    run: U32
    records: List[LogRecord]


@requires("run")
class Progress(NamedTuple):
    """How far the run is; the latest wins."""

    run: U32
    current: U64
    total: U64
    message: str


@requires("run", "call", "method")
class Call(NamedTuple):
    """A question to the supervisor."""

    run: U32
    call: U32
    method: str
    params: JsonText


@requires("run", "outcome")
class Finished(NamedTuple):
    """The run is over."""

    run: U32
    outcome: Annotated[Outcome, OUTCOME]
    metrics: Metrics
    log_records: U64


@requires("run")
class Idle(NamedTuple):
    """The slot is free from here."""

    run: U32
    rss_bytes: U64
    recycle: bool


@requires("nonce")
class Pong(NamedTuple):
    """The answer to Ping."""

    nonce: U64


class Goodbye(NamedTuple):
    """The last frame."""

    reason: str


@requires("run")
class Stacks(NamedTuple):
    """The answer to Dump."""

    run: U32
    text: str


class Describe(NamedTuple):
    """What the code declares, for the supervisor to enforce."""

    replaces: bool
    workflows: List[WorkflowDescription]
    broken: List[BrokenFile]
@requires("worker_id", "pid")
class Forked(NamedTuple):
    """The answer to Fork: the child exists."""

    worker_id: str
    pid: U32
    recycle: bool


@requires("pid", "status")
class Exited(NamedTuple):
    """A child of the template has ended."""

    pid: U32
    status: U32


@requires("worker_id")
class ForkFailed(NamedTuple):
    """The answer to Fork: there is no child."""

    worker_id: str
    message: str


@requires("protocol", "max_frame_bytes")
class Welcome(NamedTuple):
    """The answer to Hello."""

    protocol: U16
    worker_id: str
    features: List[str]
    max_frame_bytes: U32
    log_level: Level
    config: JsonText


@requires("run", "execution_id", "attempt", "workflow", "source")
class Execute(NamedTuple):
    """Run this."""

    run: U32
    execution_id: str
    attempt: U32
    workflow: str
    source: Annotated[Source, SOURCE]
    params: JsonText
    context: JsonText
    timeout_ms: U64
    grace_ms: U32


@requires("run", "reason")
class Cancel(NamedTuple):
    """End the run."""

    run: U32
    reason: CancelReason
    message: str
    grace_ms: U32


@requires("run", "call", "result")
class Reply(NamedTuple):
    """The answer to Call."""

    run: U32
    call: U32
    result: Annotated[CallResult, CALL_RESULT]


@requires("nonce")
class Ping(NamedTuple):
    """Are you there?"""

    nonce: U64


class Drain(NamedTuple):
    """Finish what runs, refuse more, leave."""

    reason: str
    grace_ms: U32


@requires("run")
class Dump(NamedTuple):
    """What are you doing?"""

    run: U32


@requires("worker_id")
class Fork(NamedTuple):
    """Make a worker of yourself."""

    worker_id: str


TO_SUPERVISOR = Variants(
    "ToSupervisor",
    *(Hello, Ready, InitFailed, Started, Log, Progress, Call, Finished, Idle, Pong, Goodbye, Stacks, Describe),
    *(Forked, Exited, ForkFailed),
)
TO_WORKER = Variants("ToWorker", Welcome, Execute, Cancel, Reply, Ping, Drain, Dump, Fork)

TEMPLATE = "template"
"""Offered besides, by a process that was given a channel for it."""
FEATURES: Tuple[str, ...] = ("log", "progress", "call", "cancel", "ping", "drain", "dump", "describe")
