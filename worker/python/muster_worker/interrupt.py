"""Breaking into user code: a signal to the main thread, and the sections it may not break into.

User code runs in the main thread, the only one a Python signal handler runs in. The watcher sends WAKE
there; the handler raises `Cancelled` in whatever runs: a busy loop, a sleep, a read. A coroutine is first
cancelled the way asyncio does it; only one that does not come back to its loop is broken into.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Callable, Optional, Type

from . import forks
from .errors import Cancelled
from .user_code import is_user_code

try:
    # Asked after each execution and around each fork, and ten times faster than the public ones, which make enums of
    # what are none. Taken before they are watched: see `touched`.
    from _signal import getsignal, pthread_sigmask  # type: ignore[import-not-found]
except ImportError:
    from signal import getsignal, pthread_sigmask

if TYPE_CHECKING:
    from .execution import Execution

# A real-time signal where there are any: no library claims those.
WAKE = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2

TERMINATED = "the process was told to end (SIGTERM)"

_main = threading.main_thread().ident
_depth = 0
_masks = threading.local()
_target: Optional[Execution] = None
_on_terminate_outside: Optional[Callable[[], None]] = None
_load_ends: Optional[float] = None
_INSIST_SECONDS = 0.2


class TookTooLong(BaseException):
    """Raised in a file that is loaded and does not come back."""


def install(on_terminate_outside: Callable[[], None]) -> None:
    """Takes WAKE and SIGTERM; `on_terminate_outside` is for a SIGTERM that finds no user code running."""
    global _on_terminate_outside
    _on_terminate_outside = on_terminate_outside
    restore()
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_reset_in_child)


def restore() -> None:
    """Takes the signals back from user code that installed handlers of its own."""
    if getsignal(WAKE) is not _on_wake:
        signal.signal(WAKE, _on_wake)
    if getsignal(signal.SIGTERM) is not _on_terminate:
        signal.signal(signal.SIGTERM, _on_terminate)


def _before_fork() -> None:
    # Python forgets in a child which signals have come. A SIGTERM to a child that is a moment old would be lost,
    # and whoever sent it (a pool of `multiprocessing` that ends, say) would wait for ever.
    _masks.before = pthread_sigmask(signal.SIG_BLOCK, (WAKE, signal.SIGTERM))


def _after_fork() -> None:
    pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _reset_in_child() -> None:
    """A forked child is an ordinary process: signals end it, nobody cancels it. A worker stays as it is."""
    global _target, _depth
    if forks.makes_worker():
        _after_fork()
        return
    _target, _depth = None, 0
    signal.signal(WAKE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _after_fork()


def undisturbed(function: Callable[[], None]) -> None:
    """Calls it, and has the signals that come meanwhile wait."""
    before = pthread_sigmask(signal.SIG_BLOCK, (WAKE, signal.SIGTERM))
    try:
        function()
    finally:
        pthread_sigmask(signal.SIG_SETMASK, before)


def enter(execution: Execution, is_held: bool = True) -> None:
    """Names the execution to break into. One that is held is opened by the next `release`."""
    global _target, _depth
    _depth = int(is_held)
    _target = execution


def leave() -> None:
    """From here on nothing may be broken into."""
    global _target
    _target = None


def limit_load(seconds: Optional[float]) -> None:
    """From now on the main thread loads a file, for so long at most; None when it has done so."""
    global _load_ends
    _load_ends = None if seconds is None else time.monotonic() + seconds


def check_load() -> None:
    """Breaks into a file that takes too long. For the watcher."""
    if _load_ends is not None and time.monotonic() >= _load_ends and _main is not None:
        signal.pthread_kill(_main, WAKE)


def wake() -> None:
    """Asks the main thread to look at what is due. For any thread."""
    if _depth == 0 and _main is not None:
        signal.pthread_kill(_main, WAKE)


def _on_wake(signum: int, frame: Optional[FrameType]) -> None:
    global _load_ends
    if _load_ends is not None and time.monotonic() >= _load_ends and not _depth:
        # Once more soon, for code that swallows it.
        _load_ends = time.monotonic() + _INSIST_SECONDS
        raise TookTooLong
    # The watcher asks again at its next tick, until the import is through.
    if not _imports_foreign_code(frame):
        _deliver()


def _on_terminate(signum: int, frame: Optional[FrameType]) -> None:
    execution = _target
    if execution is None:
        if _on_terminate_outside is not None:
            _on_terminate_outside()
        return
    # The last call before SIGKILL: also for code that swallowed the cancel.
    execution.request_cancel("Shutdown", TERMINATED)
    execution.insist()
    if _imports_foreign_code(frame):
        execution.broke_import = True
    _deliver()


def _imports_foreign_code(frame: Optional[FrameType]) -> bool:
    """True while a module that is not the user's own is being imported.

    An import that is torn leaves a package behind that can never be imported again in this process.
    """
    body: Optional[FrameType] = None
    while frame is not None:
        filename = frame.f_code.co_filename
        if frame.f_code.co_name == "<module>":
            body = frame
        elif filename == "<frozen importlib._bootstrap>":
            if body is None or not is_user_code(body):
                return True
        frame = frame.f_back
    return False


def _deliver() -> None:
    execution = _target
    if execution is None or _depth or not execution.due():
        return
    if execution.loop is not None and execution.loop.is_running():
        running = sys.modules["asyncio"].current_task(execution.loop)
        if not execution.task_told:
            execution.task_told = True
            execution.loop.call_soon_threadsafe(execution.cancel_task)
            return
        if running is None:
            return
    raise execution.take_cancel()


def hold() -> None:
    """Opens a section of the main thread that is not broken into. Ends with `release`."""
    global _depth
    if threading.get_ident() == _main:
        _depth += 1


def release() -> None:
    """Closes the section; a cancel that came meanwhile is raised here."""
    global _depth
    if threading.get_ident() == _main:
        _depth -= 1
        if _depth == 0:
            _deliver()


class shield:
    """`with shield(): ...` runs a section to its end; a cancel that comes meanwhile is raised after it.

    Works in sync and async workflows. It buys time only within the cancel's grace: the supervisor's
    signals come in spite of it.
    """

    def __enter__(self) -> None:
        hold()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if error is None:
            release()
            return
        try:
            release()
        except Cancelled as cancelled:
            raise cancelled from error
