"""What several messages hold: how their fields are spelled, and the enums and records in them.

A field's annotation says how it is spelled on the wire (`U32`, `JsonText` ...), so both codecs read these
files and there is no second table to keep in step. The order of fields and of variants is frozen for ever.
`requires` names the fields that JSON lines mode may not leave out.
"""

# No `from __future__ import annotations` here: the codecs read the annotations as objects.
from enum import IntEnum
from typing import Annotated, Any, Callable, NamedTuple, Optional, Type, TypeVar, Union

U16 = Annotated[int, "u16"]
U32 = Annotated[int, "u32"]
U64 = Annotated[int, "u64"]
JsonText = Annotated[bytes, "json"]
"""JSON text that travels unparsed; empty means none. In JSON lines mode it is the value itself."""
CodeText = Annotated[bytes, "code"]
"""Source text; in JSON lines mode a string."""


Message = TypeVar("Message", bound=Type[Any])


def requires(*names: str) -> Callable[[Message], Message]:
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


@requires("path", "function")
class Path(NamedTuple):
    """A file below the workflows folder, and a function in it."""

    path: str
    function: str


@requires("language", "code")
class Inline(NamedTuple):
    """The code travels with the request."""

    language: str
    code: CodeText


class Succeeded(NamedTuple):
    """The function returned."""

    result: JsonText


@requires("error")
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


@requires("error")
class Err(NamedTuple):
    """A call did not."""

    error: ErrorInfo


SOURCE = Variants("Source", Named, Path, Inline)
OUTCOME = Variants("Outcome", Succeeded, Failed, Cancelled, Rejected)
CALL_RESULT = Variants("CallResult", Ok, Err)
Source = Union[Named, Path, Inline]
Outcome = Union[Succeeded, Failed, Cancelled, Rejected]
CallResult = Union[Ok, Err]
