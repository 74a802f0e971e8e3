"""The blocking client."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, Iterable, Iterator, List

import httpx

from . import steps, waiting
from .asking import Patience, Request, Unreachable, execution_path
from .errors import MusterError, SubmitManyFailed
from .following import Follower, LineSplitter, lines_of
from .handles import Submitted
from .options import NO_OPTIONS, Options, parameters_of
from .records import Cancelled, Execution, Limit, LogLine, Pause, Reason, Status, read
from .transport import Refused, Transport

_SILENCE_SECONDS = 60.0
"""A stream of events says something more often than this."""


class Client:
    """A supervisor, as applications see it. Threads may share one; a process that was forked has connections of its own.

    Without arguments it finds address and token as the `supervisor` command does: `MUSTER_URL`, `MUSTER_HTTP_TOKEN`, and the
    token that a supervisor of this machine and user keeps in its `data_dir`. For `patience` seconds a supervisor that does
    not answer is asked again; a submission that is repeated so is the same execution.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(url, token, transport)
        self._patience = patience

    @property
    def url(self) -> str:
        """The address of the supervisor."""
        return self._transport.url

    def submit(self, workflow: str, /, *parameters: Any, _options: Options = NO_OPTIONS, **named: Any) -> Submitted:
        """Submits an execution: `submit("greet", name="Ada")`, or `submit("greet", {"name": "Ada"})`."""
        plan = steps.submit(workflow, parameters_of(parameters, named), _options, self._patient())
        return Submitted(self, *self._transport.run(plan))

    def submit_many(
        self, workflow: str, parameters: Iterable[Any], *, _options: Options = NO_OPTIONS
    ) -> List[Submitted]:
        """Submits an execution for each of the parameters, many in one question; the handles are in the same order."""
        steps.refuse_names(_options)
        made = self._transport.run(steps.submit_many(workflow, parameters, _options, self._patient()))
        errors = {place: one for place, one in enumerate(made) if isinstance(one, MusterError)}
        handles = [None if isinstance(one, MusterError) else Submitted(self, *one) for one in made]
        if errors:
            raise SubmitManyFailed(handles, errors)
        return [one for one in handles if one is not None]

    def handle(self, execution_id: str) -> Submitted:
        """An execution that was submitted before, by its id. Nothing is asked yet."""
        return Submitted(self, str(execution_id))

    def get(self, execution_id: str) -> Execution:
        """The row of an execution as it is now."""
        return self._transport.run(waiting.get(str(execution_id), self._patient()))

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
        """The row of an execution once it is over, however it ended; `NotFinished` when it is not over in time."""
        return self._transport.run(waiting.wait(str(execution_id), self.url, self._patience, timeout, self._transport.crowd))

    def wait_for_published(self, execution_id: str, timeout: float | None = None) -> Execution:
        """The same of an execution whose message was published with this id, so that there may be no row of it yet."""
        plan = waiting.wait(str(execution_id), self.url, self._patience, timeout, self._transport.crowd, is_published=True)
        return self._transport.run(plan)

    def until_taken_in(self, execution_id: str) -> Execution:
        """The row of an execution whose message was published with this id, as soon as there is one."""
        return self._transport.run(waiting.appeared(str(execution_id), self._patient()))

    def result(self, execution_id: str, timeout: float | None = None) -> Any:
        """What the workflow returned, or an `ExecutionError`; `NotFinished` when it is not over in time."""
        return steps.result_of(self.wait(execution_id, timeout))

    def list(
        self,
        *,
        status: Status | Iterable[Status] | None = None,
        workflow: str | None = None,
        queue: str | None = None,
        organization: str | None = None,
        error_type: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        page_size: int = 100,
    ) -> Iterator[Execution]:
        """Executions, the newest first, in one state or in one of several; pages are fetched as they are needed. Rows of lists have no result."""
        narrowed = {"status": status, "workflow": workflow, "queue": queue, "organization": organization, "error_type": error_type}
        query = steps.list_query({**narrowed, "since": since, "until": until, "limit": page_size})
        while True:
            page = self._transport.run(steps.page("/api/executions", query, self._patient()))
            for row in page["executions"]:
                yield read(Execution, row)
            if page.get("next_cursor") is None:
                return
            query = {**query, "cursor": page["next_cursor"]}

    def logs(self, execution_id: str, *, follow: bool = False) -> Iterator[LogLine]:
        """The log so far; with `follow` as it grows, until the execution is over."""
        return self._follow(str(execution_id)) if follow else self._stored(str(execution_id))

    def explain(self, execution_id: str) -> List[Reason]:
        """Why an execution is where it is: what keeps it from starting first, where it runs, or how it ended."""
        return self._transport.run(steps.explain(str(execution_id), self._patient()))

    def cancel(self, execution_id: str) -> Cancelled:
        """Asks for an execution to end."""
        return self._transport.run(steps.cancel(str(execution_id), self._patient()))

    def retry(self, execution_id: str) -> Submitted:
        """Runs an execution that is over again, as a new one."""
        return Submitted(self, self._transport.run(steps.retry(str(execution_id), self._patient())))

    def pause(self, target: str, *, why: str | None = None) -> Pause:
        """Lets nothing start of `all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`; what runs goes on, and everything is accepted."""
        return self._transport.run(steps.pause(target, why, self._patient()))

    def resume(self, target: str) -> bool:
        """Lets it start again, in its order; False when it was not paused."""
        return self._transport.run(steps.resume(target, self._patient()))

    def pauses(self) -> List[Pause]:
        """What is paused, by whom and why."""
        return self._transport.run(steps.pauses(self._patient()))

    def limits(self) -> List[Limit]:
        """How many executions may run at once, and how full that is: the limits that are set, or that executions name."""
        return self._transport.run(steps.limits(self._patient()))

    def close(self) -> None:
        """Closes the connections. `with Client() as client:` does it too."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _patient(self) -> Patience:
        return Patience(self.url, self._patience)

    def _stored(self, execution_id: str) -> Iterator[LogLine]:
        path, query = execution_path(execution_id, "logs"), dict[str, str]()
        while True:
            lines, cursor = lines_of(self._transport.run(steps.page(path, query, self._patient())))
            yield from lines
            if cursor is None:
                return
            query = {"cursor": cursor}

    def _follow(self, execution_id: str) -> Iterator[LogLine]:
        follower, patient = Follower(), self._patient()
        path = execution_path(execution_id, "logs")
        while not follower.is_over:
            request, splitter = Request("GET", path, follower.query(), seconds=_SILENCE_SECONDS), LineSplitter()
            follower.restart()
            try:
                with self._transport.stream(request) as chunks:
                    patient.renew()
                    for chunk in chunks:
                        for line in map(follower.feed, splitter.feed(chunk)):
                            if line is not None:
                                yield line
            except (Unreachable, Refused) as error:
                self._transport.run(steps.interrupted(error, patient))
            else:
                self._transport.run(steps.breath(follower.is_over))
