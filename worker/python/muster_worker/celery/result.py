"""`AsyncResult`: what became of a task that was sent."""

from __future__ import annotations

from typing import Any, NoReturn, Optional

from ..current import current_or_none
from ..submitting import need_client
from .errors import OUT_OF_RESULT, UnsupportedName, UnsupportedOption

_STATES = {"RUNNING": "STARTED", "SUCCESS": "SUCCESS", "FAILED": "FAILURE", "TIMEOUT": "FAILURE", "CANCELLED": "REVOKED"}


class AsyncResult:
    """What became of a task that was sent, by its id."""

    def __init__(self, id: str) -> None:
        self.id = str(id)

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def __str__(self) -> str:
        # What applications keep of it, to ask for it later.
        return self.id

    def __eq__(self, other: object) -> bool:
        return (other.id if isinstance(other, AsyncResult) else other) == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __getattr__(self, name: str) -> NoReturn:
        if name in OUT_OF_RESULT:
            raise UnsupportedName(f"{name} of a result is not supported: {OUT_OF_RESULT[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def task_id(self) -> str:
        """Its id, by its other name."""
        return self.id

    def get(self, timeout: Optional[float] = None, propagate: bool = True, **options: Any) -> Any:
        """What the task returned, waited for. A failure is raised as `muster_client.ExecutionError`, a wait that was too
        short as TimeoutError."""
        for name, value in options.items():
            if name not in ("interval", "no_ack", "disable_sync_subtasks") and value is not None:
                raise UnsupportedOption(f"AsyncResult.get: {name}={value!r} is not supported: there are timeout and propagate")
        if current_or_none() is not None:
            raise RuntimeError(
                "AsyncResult.get in a task: what a task sends starts when the outcome of the task is stored, so nobody can wait for it in here"
            )
        row = need_client().shared_client().wait(self.id, timeout)
        return self._outcome(row, propagate)

    wait = get

    @property
    def state(self) -> str:
        """PENDING (also for an id that nobody knows), STARTED, RETRY, SUCCESS, FAILURE or REVOKED."""
        row = self._row()
        if row is None or row.status == "PENDING":
            return "RETRY" if row is not None and row.attempt else "PENDING"
        return _STATES[row.status]

    status = state

    def ready(self) -> bool:
        """True when it is over."""
        row = self._row()
        return row is not None and bool(row.is_over)

    def successful(self) -> bool:
        """True when it is over and returned something."""
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        """True when it is over and failed."""
        return self.state == "FAILURE"

    @property
    def result(self) -> Any:
        """What it returned, or its error; None while it is not over."""
        row = self._row()
        return None if row is None or not row.is_over else self._outcome(row, False)

    info = result

    @property
    def traceback(self) -> Optional[str]:
        """Where it failed."""
        row = self._row()
        return None if row is None else row.error_stack

    def revoke(self, terminate: bool = False, **options: Any) -> None:
        """Ends it, whether it waits or runs."""
        if not terminate:
            raise UnsupportedOption("AsyncResult.revoke: a cancel ends also what runs already: write terminate=True if it may")
        for name, value in options.items():
            raise UnsupportedOption(f"AsyncResult.revoke: {name}={value!r} is not supported: leave it out")
        need_client().shared_client().cancel(self.id)

    def forget(self) -> None:
        """Refused: rows are kept."""
        raise UnsupportedOption("AsyncResult.forget: rows are kept as long as the database keeps them: leave it out")

    def _row(self) -> Any:
        client = need_client()
        try:
            return client.shared_client().get(self.id)
        except client.NotFound:
            return None

    @staticmethod
    def _outcome(row: Any, propagate: bool) -> Any:
        from muster_client.errors import outcome_error

        if row.status == "SUCCESS":
            return row.result
        error = outcome_error(row)
        if propagate:
            raise error
        return error
