"""Every message of version 1 as a named tuple. The annotations *are* the layout.

A field's annotation says how it is spelled on the wire (`U32`, `JsonText` ...), so both codecs read this
file and there is no second table to keep in step. The order of fields and of variants is frozen for ever.
`_requires` names the fields that JSON lines mode may not leave out.
"""

# No `from __future__ import annotations` here: the codecs read the annotations as objects.
from enum import IntEnum
from typing import Annotated, Any, Callable, List, NamedTuple, Optional, Tuple, Type, TypeVar, Union

U16 = Annotated[int, "u16"]
U32 = Annotated[int, "u32"]
U64 = Annotated[int, "u64"]
JsonText = Annotated[bytes, "json"]
"""JSON text that travels unparsed; empty means none. In JSON lines mode it is the value itself."""
CodeText = Annotated[bytes, "code"]
"""Source text; in JSON lines mode a string."""


Message = TypeVar("Message", bound=Type[Any])


def _requires(*names: str) -> Callable[[Message], Message]:
    """Names the fields that JSON lines mode may not leave out."""

    def mark(cls: Message) -> Message:
        cls.required = names
        return cls

    return mark


class Variants:
    """An enum with data: its variants in the order of their index."""

    def __init__(self, name: str, *classes: Type[Any]) -> None:
        self.name = name
        self.classes = classes
        self.index = {cls: index for index, cls in enumerate(classes)}
        self.by_name = {cls.__name__: cls for cls in classes}


class Level(IntEnum):
    """How much a log record matters."""

    Trace = 0
    Debug = 1
    Info = 2
    Warn = 3
    Error = 4


class CancelReason(IntEnum):
    """Who wants a run to end."""

    User = 0
    Timeout = 1
    Shutdown = 2
    LeaseLost = 3


class ErrorInfo(NamedTuple):
    """Why something failed."""

    kind: str
    message: str
    stack: str = ""
    retryable: Optional[bool] = None


class LogRecord(NamedTuple):
    """One line of a run's log."""

    timestamp_us: U64
    level: Level
    logger: str
    message: str
    fields: JsonText


class Metrics(NamedTuple):
    """What a run cost; zero means not measured."""

    wall_us: U64 = 0
    cpu_user_us: U64 = 0
    cpu_system_us: U64 = 0
    peak_rss_bytes: U64 = 0


class Named(NamedTuple):
    """The worker looks the workflow's name up itself."""


@_requires("path", "function")
class Path(NamedTuple):
    """A file below the workflows folder, and a function in it."""

    path: str
    function: str


@_requires("language", "code")
class Inline(NamedTuple):
    """The code travels with the request."""

    language: str
    code: CodeText


class Succeeded(NamedTuple):
    """The function returned."""

    result: JsonText


@_requires("error")
class Failed(NamedTuple):
    """The function failed."""

    error: ErrorInfo


class Cancelled(NamedTuple):
    """The run ended because it was cancelled."""

    message: str


class Rejected(NamedTuple):
    """The worker cannot run this; user code was not entered."""

    reason: str


class Ok(NamedTuple):
    """A call worked."""

    value: JsonText


@_requires("error")
class Err(NamedTuple):
    """A call did not."""

    error: ErrorInfo


SOURCE = Variants("Source", Named, Path, Inline)
OUTCOME = Variants("Outcome", Succeeded, Failed, Cancelled, Rejected)
CALL_RESULT = Variants("CallResult", Ok, Err)
Source = Union[Named, Path, Inline]
Outcome = Union[Succeeded, Failed, Cancelled, Rejected]
CallResult = Union[Ok, Err]


@_requires("protocol_min", "protocol_max")
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


@_requires("error")
class InitFailed(NamedTuple):
    """User code could not be loaded."""

    error: ErrorInfo


@_requires("run")
class Started(NamedTuple):
    """Written before user code is entered."""

    run: U32


@_requires("run", "records")
class Log(NamedTuple):
    """Log records, in order."""

    run: U32
    records: List[LogRecord]


@_requires("run")
class Progress(NamedTuple):
    """How far the run is; the latest wins."""

    run: U32
    current: U64
    total: U64
    message: str


@_requires("run", "call", "method")
class Call(NamedTuple):
    """A question to the supervisor."""

    run: U32
    call: U32
    method: str
    params: JsonText


@_requires("run", "outcome")
class Finished(NamedTuple):
    """The run is over."""

    run: U32
    outcome: Annotated[Outcome, OUTCOME]
    metrics: Metrics
    log_records: U64


@_requires("run")
class Idle(NamedTuple):
    """The slot is free from here."""

    run: U32
    rss_bytes: U64
    recycle: bool


@_requires("nonce")
class Pong(NamedTuple):
    """The answer to Ping."""

    nonce: U64


class Goodbye(NamedTuple):
    """The last frame."""

    reason: str


@_requires("run")
class Stacks(NamedTuple):
    """The answer to Dump."""

    run: U32
    text: str


class DeclaredRetry(NamedTuple):
    """When it is tried again."""

    max_attempts: Optional[U32] = None
    backoff_ms: Optional[U64] = None
    backoff_factor_percent: Optional[U32] = None
    backoff_max_ms: Optional[U64] = None
    retry_on: List[str] = []
    give_up_on: List[str] = []


class DeclaredConcurrency(NamedTuple):
    """How many run at once."""

    total: Optional[U32] = None
    per_key: Optional[U32] = None
    key: str = ""
    on_full: str = ""


@_requires("name")
class WorkflowDescription(NamedTuple):
    """What the code declares of one workflow; what is none or empty is not declared."""

    name: str
    description: str = ""
    source_file: str = ""
    timeout_ms: Optional[U64] = None
    retry: DeclaredRetry = DeclaredRetry()
    concurrency: DeclaredConcurrency = DeclaredConcurrency()
    limits: List[str] = []
    queue: str = ""
    parameters: JsonText = b""
    more: JsonText = b""


@_requires("file")
class BrokenFile(NamedTuple):
    """A file that could not be loaded."""

    file: str
    error: ErrorInfo


class Describe(NamedTuple):
    """What the code declares, for the supervisor to enforce."""

    replaces: bool
    workflows: List[WorkflowDescription]
    broken: List[BrokenFile]
@_requires("worker_id", "pid")
class Forked(NamedTuple):
    """The answer to Fork: the child exists."""

    worker_id: str
    pid: U32
    recycle: bool


@_requires("pid", "status")
class Exited(NamedTuple):
    """A child of the template has ended."""

    pid: U32
    status: U32


@_requires("worker_id")
class ForkFailed(NamedTuple):
    """The answer to Fork: there is no child."""

    worker_id: str
    message: str


@_requires("protocol", "max_frame_bytes")
class Welcome(NamedTuple):
    """The answer to Hello."""

    protocol: U16
    worker_id: str
    features: List[str]
    max_frame_bytes: U32
    log_level: Level
    config: JsonText


@_requires("run", "execution_id", "attempt", "workflow", "source")
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


@_requires("run", "reason")
class Cancel(NamedTuple):
    """End the run."""

    run: U32
    reason: CancelReason
    message: str
    grace_ms: U32


@_requires("run", "call", "result")
class Reply(NamedTuple):
    """The answer to Call."""

    run: U32
    call: U32
    result: Annotated[CallResult, CALL_RESULT]


@_requires("nonce")
class Ping(NamedTuple):
    """Are you there?"""

    nonce: U64


class Drain(NamedTuple):
    """Finish what runs, refuse more, leave."""

    reason: str
    grace_ms: U32


@_requires("run")
class Dump(NamedTuple):
    """What are you doing?"""

    run: U32


@_requires("worker_id")
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
