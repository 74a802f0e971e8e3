"""One execution, held by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Iterator, List, Tuple

from .records import Cancelled, Execution, LogLine, Pause, Reason

if TYPE_CHECKING:
    from .async_client import AsyncClient
    from .client import Client


class Submitted:
    """An execution that was submitted."""

    def __init__(self, client: Client, execution_id: str, existing: bool = False, paused_by: Tuple[Pause, ...] = ()) -> None:
        self._client = client
        self.id = execution_id
        self.existing = existing
        """True when another submission with its idempotency key made it."""
        self.paused_by = paused_by
        """The pauses that kept it from starting when it was submitted."""

    def __repr__(self) -> str:
        return f"<Submitted {self.id}>"

    def result(self, timeout: float | None = None) -> Any:
        """What the workflow returned, or an `ExecutionError`; `NotFinished` when it is not over in `timeout` seconds."""
        return self._client.result(self.id, timeout)

    def wait(self, timeout: float | None = None) -> Execution:
        """The row once it is over, however it ended; `NotFinished` when it is not over in `timeout` seconds."""
        return self._client.wait(self.id, timeout)

    def get(self) -> Execution:
        """The row as it is now."""
        return self._client.get(self.id)

    def logs(self, *, follow: bool = False) -> Iterator[LogLine]:
        """The log so far; with `follow` as it grows, until the execution is over."""
        return self._client.logs(self.id, follow=follow)

    def explain(self) -> List[Reason]:
        """Why it is where it is: what keeps it from starting first, where it runs, or how it ended."""
        return self._client.explain(self.id)

    def cancel(self) -> Cancelled:
        """Asks for it to end."""
        return self._client.cancel(self.id)

    def retry(self) -> Submitted:
        """Runs it again, as a new one, when it is over."""
        return self._client.retry(self.id)


class AsyncSubmitted:
    """An execution that was submitted, for coroutines."""

    def __init__(self, client: AsyncClient, execution_id: str, existing: bool = False, paused_by: Tuple[Pause, ...] = ()) -> None:
        self._client = client
        self.id = execution_id
        self.existing = existing
        """True when another submission with its idempotency key made it."""
        self.paused_by = paused_by
        """The pauses that kept it from starting when it was submitted."""

    def __repr__(self) -> str:
        return f"<AsyncSubmitted {self.id}>"

    async def result(self, timeout: float | None = None) -> Any:
        """What the workflow returned, or an `ExecutionError`; `NotFinished` when it is not over in `timeout` seconds."""
        return await self._client.result(self.id, timeout)

    async def wait(self, timeout: float | None = None) -> Execution:
        """The row once it is over, however it ended; `NotFinished` when it is not over in `timeout` seconds."""
        return await self._client.wait(self.id, timeout)

    async def get(self) -> Execution:
        """The row as it is now."""
        return await self._client.get(self.id)

    def logs(self, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """The log so far; with `follow` as it grows, until the execution is over."""
        return self._client.logs(self.id, follow=follow)

    async def explain(self) -> List[Reason]:
        """Why it is where it is: what keeps it from starting first, where it runs, or how it ended."""
        return await self._client.explain(self.id)

    async def cancel(self) -> Cancelled:
        """Asks for it to end."""
        return await self._client.cancel(self.id)

    async def retry(self) -> AsyncSubmitted:
        """Runs it again, as a new one, when it is over."""
        return await self._client.retry(self.id)
