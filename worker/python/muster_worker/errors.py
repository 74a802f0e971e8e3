"""What can go wrong in a run, and how an exception becomes the error a person reads."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import List, Optional, Set

from .values import clean
from .wire.messages import ErrorInfo

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_MESSAGE_MAX_CHARACTERS = 64 * 1024
_STACK_MAX_CHARACTERS = 256 * 1024


class Cancelled(BaseException):
    """Raised in user code when its execution is cancelled or out of time.

    It is no `Exception`, so `except Exception` lets it pass. Clean up and let it go on.
    """

    def __init__(self, message: str = "cancelled", reason: str = "User") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class MusterError(Exception):
    """An error the SDK raises; its class name is the execution's error type."""

    retryable: Optional[bool] = False


class InvalidParameters(MusterError):
    """The parameters do not fit the workflow's signature."""


class InvalidResult(MusterError):
    """What the workflow returned is not JSON."""


class LoadTimeout(MusterError):
    """A workflow file that takes too long to be loaded."""

    retryable = None


class LoadCrash(MusterError):
    """A workflow file that ends the process, or holds it up where nothing can break in."""

    retryable = None


class WorkflowTimeout(MusterError):
    """The workflow's own `timeout=` passed, before the execution's: where no supervisor enforces it."""

    retryable = None


class CallError(MusterError):
    """The supervisor refused or failed a call; `kind` says which error it was."""

    retryable = None

    def __init__(self, kind: str, message: str, retryable: Optional[bool] = None) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message
        self.retryable = retryable


class Rejection(Exception):
    """The worker cannot run this execution; user code was not entered."""


def is_cancellation(error: BaseException, cancel_requested: bool) -> bool:
    """True when the error is our cancel on its way out, also as asyncio hands it on."""
    if isinstance(error, Cancelled):
        return True
    # asyncio is imported only by those who use it: it doubles the start-up time.
    exceptions = sys.modules.get("asyncio.exceptions")
    if cancel_requested and exceptions and isinstance(error, exceptions.CancelledError):
        return True
    nested = getattr(error, "exceptions", None)
    if isinstance(nested, tuple) and nested:
        return all(is_cancellation(one, cancel_requested) for one in nested)
    return False


def describe(error: BaseException) -> ErrorInfo:
    """Kind, message, stack without the SDK's own frames, and whether another attempt could help."""
    try:
        retryable = getattr(error, "retryable", None)
    except Exception:
        # A property of the user's that fails must not take the outcome with it.
        retryable = None
    return ErrorInfo(
        kind=clean(_kind(error)),
        message=clean(_message(error)[:_MESSAGE_MAX_CHARACTERS]),
        stack=clean(stack_of(error)),
        retryable=retryable if isinstance(retryable, bool) else None,
    )


def _kind(error: BaseException) -> str:
    # An answer of the supervisor that nobody caught is known by what the supervisor called it.
    if isinstance(error, CallError):
        return str(error.kind)
    # The name that every SDK gives it.
    return "OutOfMemory" if isinstance(error, MemoryError) else type(error).__name__


def stack_of(error: BaseException) -> str:
    """The traceback as Python prints it, from the first frame of user code on."""
    if isinstance(error, MusterError) and not _user_frames(error):
        return ""
    try:
        formatted = traceback.TracebackException.from_exception(error)
        _drop_own_frames(formatted, set())
        text = "".join(formatted.format())
    except Exception as broken:
        # An exception whose own __str__ or __cause__ is broken must not take the outcome with it.
        text = f"{type(error).__name__} (its traceback cannot be shown: {type(broken).__name__})"
    return text[-_STACK_MAX_CHARACTERS:]


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:
        return f"the message cannot be shown: __str__ raised {type(broken).__name__}"
    # KeyError('name') says only 'name'; a bare class says nothing at all.
    if isinstance(error, KeyError) and len(error.args) == 1:
        return f"key not found: {text}"
    if isinstance(error, MemoryError):
        return f"the workflow asked for more memory than the worker may have{': ' if text else ''}{text}"
    return text or type(error).__name__


def _user_frames(error: BaseException) -> List[traceback.FrameSummary]:
    return [frame for frame in traceback.extract_tb(error.__traceback__) if not is_own(frame.filename)]


def is_own(filename: str) -> bool:
    """True for a file of this package."""
    return filename.startswith(_PACKAGE)


def _imports(filename: str) -> bool:
    """True for a frame of the import system, which tells nothing about a file that cannot be loaded."""
    return filename.startswith("<frozen importlib") or filename == importlib.__file__


def _drop_own_frames(formatted: traceback.TracebackException, seen: Set[int]) -> None:
    if id(formatted) in seen:
        return
    seen.add(id(formatted))
    kept = [frame for frame in formatted.stack if not (is_own(frame.filename) or _imports(frame.filename))]
    formatted.stack = traceback.StackSummary.from_list(kept)
    for linked in (formatted.__cause__, formatted.__context__, *(getattr(formatted, "exceptions", None) or ())):
        if linked is not None:
            _drop_own_frames(linked, seen)
