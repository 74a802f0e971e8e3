"""One execution as the worker sees it: who it is, its clock, whether it is cancelled, its logs."""

from __future__ import annotations

import json
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .errors import Cancelled

if TYPE_CHECKING:
    import asyncio

    from .carry import Carried
    from .late import LateLog
    from .port import Port
    from .wire.messages import Execute, LogRecord


_making_event = threading.Lock()
_monotonic = time.monotonic


class CancelRequest(NamedTuple):
    """Why the execution is to end; the first one stands."""

    reason: str
    message: str


class Execution:
    """The state of one run. Fields are written by the main thread and the watcher, one word at a time.

    What few runs ever set or ask has its first value here, once for all of them.
    """

    deadline: Optional[float] = None
    own_deadline: Optional[float] = None
    is_limited = False
    """True when the supervisor knows the workflow's own limit and enforces it."""
    closed = False
    late: Optional[Callable[[], LateLog]] = None
    """Gives the log for what comes after the end; a terminal has none."""
    delivered = False
    task_told = False
    loop: Optional[asyncio.AbstractEventLoop] = None
    task: Optional[asyncio.Task[Any]] = None
    _handed_over: Optional[weakref.WeakSet[Carried]] = None
    _context: Optional[Dict[str, Any]] = None

    def __init__(
        self,
        port: Port,
        run: int,
        execution_id: str,
        attempt: int,
        workflow: str,
        context: bytes = b"",
        timeout_ms: int = 0,
    ) -> None:
        self.port = port
        self.run = run
        self.execution_id = execution_id
        self.attempt = attempt
        self.workflow = workflow
        self.timeout_seconds: Optional[float] = timeout_ms / 1000 if timeout_ms else None
        self.started = _monotonic()
        self.threads: List[Tuple[threading.Thread, bool]] = []
        """The threads that were started in it, and whether user code itself started them."""
        self._context_text = context
        self.request: Optional[CancelRequest] = None
        self.broke_import = False
        self.may_run_on = False
        """True once there is anything that may still be at work at its end."""
        self._cancelled: Optional[threading.Event] = None

    @classmethod
    def of(cls, execute: Execute, port: Port) -> Execution:
        """The execution that a message asks for."""
        run, execution_id, attempt, workflow, _, _, context, timeout_ms, _ = execute
        return cls(port, run, execution_id, attempt, workflow, context, timeout_ms)

    @property
    def context(self) -> Dict[str, Any]:
        """The context that came with the execution, parsed on first use."""
        if self._context is None:
            parsed = json.loads(self._context_text) if self._context_text else {}
            self._context = parsed if isinstance(parsed, dict) else {}
        return self._context

    def wait_for_cancel(self, seconds: Optional[float] = None) -> bool:
        """Sleeps in a thread of user code; True when the execution was asked to end meanwhile."""
        with _making_event:
            if self._cancelled is None:
                self._cancelled = threading.Event()
        # Asked to end before there was an event to set?
        return self.request is not None or self._cancelled.wait(seconds)

    def log(self, record: LogRecord) -> None:
        """Takes a log record, now or after the end: what the run left behind still belongs to it."""
        if not self.closed:
            self.port.log(record)
        elif self.late is not None:
            self.late().add(record)

    def close(self) -> None:
        """Nothing of the run counts any more; threads of it that sleep in `context.sleep` wake up."""
        self.closed = True
        if self._cancelled is not None:
            self._cancelled.set()

    def started_thread(self, thread: threading.Thread, by_user_code: bool) -> None:
        """Notes a thread that was started in it, and whether user code itself started it."""
        self.may_run_on = True
        self.threads.append((thread, by_user_code))

    def handed_over(self, work: Carried) -> None:
        """Notes what is given to a pool or a raw thread. Work that is cancelled there is simply gone one day."""
        if self._handed_over is None:
            self.may_run_on, self._handed_over = True, weakref.WeakSet()
        self._handed_over.add(work)

    @property
    def pool_work(self) -> int:
        """How much of that is not done yet."""
        return 0 if self._handed_over is None else sum(one.is_at_work for one in list(self._handed_over))

    def start_clock(self) -> None:
        """The time the execution has runs from here."""
        self.started = started = _monotonic()
        if self.timeout_seconds is not None:
            self.deadline = started + self.timeout_seconds

    def limit(self, seconds: float) -> None:
        """The workflow's own limit, beside the execution's."""
        self.own_deadline = self.started + seconds

    def check_deadline(self, now: float, slack_seconds: float) -> None:
        """Requests the cancel that is due by now.

        The supervisor's clock decides TIMEOUT and starts a little later than ours, hence the slack.
        """
        if self.own_deadline is not None and now >= self.own_deadline:
            seconds = self.own_deadline - self.started
            self.request_cancel("WorkflowTimeout", f"the workflow's own limit of {seconds:g} s passed")
        elif self.deadline is not None and now >= self.deadline + slack_seconds:
            self.request_cancel("Timeout", f"the time limit of {self.timeout_seconds:g} s passed")

    def request_cancel(self, reason: str, message: str) -> None:
        """Notes that the execution is to end. The first reason stands."""
        if self.request is None:
            self.request = CancelRequest(reason, message)
            if self._cancelled is not None:
                self._cancelled.set()

    def insist(self) -> None:
        """Delivers the cancel once more, also to code that swallowed it."""
        self.delivered = self.task_told = False

    def due(self) -> bool:
        """True while a requested cancel has not reached user code."""
        return self.request is not None and not self.delivered and not self.closed

    def cancellation(self) -> Cancelled:
        """The exception that tells user code why it ends."""
        request = self.request or CancelRequest("User", "cancelled")
        return Cancelled(request.message, request.reason)

    def take_cancel(self) -> Cancelled:
        """The exception for the main thread; from here on the cancel counts as delivered."""
        self.delivered = True
        return self.cancellation()

    def cancel_task(self) -> None:
        """Cancels the coroutine. Called in its loop."""
        if self.delivered or self.task is None:
            return
        self.delivered = True
        self.task.cancel()
