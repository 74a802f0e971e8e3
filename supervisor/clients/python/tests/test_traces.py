"""Traces reach a receiver that reads them with OpenTelemetry's own classes, and a worker's spans are in the same trace."""

from __future__ import annotations

import signal
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import httpx
import pytest
from conftest import WORKFLOWS
from installation import SDK, Installation
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from receiving import SOON, QuietHandler, Served, eventually

from muster_client import Client, Options

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACED = '''
from opentelemetry import trace
from muster_worker import context, workflow

@workflow(retries=2, backoff=0.1)
def second_try() -> str:
    with trace.get_tracer("mine").start_as_current_span(f"work {context.attempt}"):
        if context.attempt == 1:
            raise LookupError("not yet")
        return context.traceparent
'''
PARENT = '''
from muster_worker import context, workflow

@workflow
def parent() -> str:
    context.submit("greet", {"name": "child"})
    return context.traceparent
'''


class Found(NamedTuple):
    """A span as it came, and the service that it came from."""

    service: str
    span: Any


class Receiver:
    """A collector. It answers what a test says, 200 from then on."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.spans: dict[str, dict[str, Found]] = defaultdict(dict)
        """By trace and span: what comes twice is the same span."""
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                body = self.body()
                receiver.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 200:
                    receiver.take(body, self.headers.get("content-encoding"))
                self.answer(status)

        self._served = Served(Handler)
        self.url, self.close = self._served.url, self._served.close

    def take(self, body: bytes, encoding: str | None) -> None:
        assert encoding is None, encoding
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace = self.spans[span.trace_id.hex()]
                    trace[span.span_id.hex()] = Found(attributes["service.name"], span)

    def named(self, trace: str) -> dict[str, Any]:
        return {found.span.name: found.span for found in self.spans[trace].values()}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def installed(tmp_path: Path, receiver: Receiver) -> Iterator[Installation]:
    made = Installation(
        tmp_path / "traced",
        otlp_url=receiver.url,
        otlp_headers="x-key=k1",
        worker_env=f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.url}",
    )
    made.workflow("all.py", WORKFLOWS)
    yield made
    made.stop()


def client(installed: Installation) -> Client:
    return Client(installed.url, token=(installed.folder / "data" / "http_token").read_text().strip())


def attributes(span: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def test_an_execution_is_a_trace_and_what_its_workflow_traces_is_below_its_run(
    installed: Installation, receiver: Receiver
) -> None:
    installed.workflow("tracing.py", (SDK / "examples" / "hooks" / "tracing.py").read_text())
    installed.workflow("traced.py", TRACED)
    installed.start()
    done = client(installed).submit("second_try", _options=Options(traceparent=GIVEN)).result(timeout=SOON)
    trace = GIVEN.split("-")[1]
    eventually("all its spans are there", lambda: {"second_try", "work 1", "work 2"} <= set(receiver.named(trace)))
    spans = receiver.named(trace)
    whole, first, second = spans["second_try"], spans["attempt 1"], spans["attempt 2"]
    assert whole.parent_span_id.hex() == GIVEN.split("-")[2], "it is below the span it was submitted in"
    assert [link.span_id for link in second.links] == [first.span_id]
    assert first.status.message.startswith("LookupError") and whole.status.code == 1
    runs = {
        found.span.parent_span_id: found.span.span_id
        for found in receiver.spans[trace].values()
        if found.span.name == "run"
    }
    assert spans["work 1"].parent_span_id == runs[first.span_id]
    assert spans["work 2"].parent_span_id == runs[second.span_id]
    assert done.startswith(f"00-{trace}-{runs[second.span_id].hex()}-"), "what the workflow passes on"
    services = {found.span.name: found.service for found in receiver.spans[trace].values()}
    assert (services["run"], services["work 1"]) == ("muster", "workflows")
    times = [(span.start_time_unix_nano, span.end_time_unix_nano) for span in (whole, first, second)]
    assert times[0][0] <= times[1][0] <= times[1][1] <= times[2][0] <= times[2][1] <= times[0][1], times
    path, headers = next(one for one in receiver.asked if "x-key" in one[1])
    assert (path, headers["x-key"], headers["content-type"]) == ("/v1/traces", "k1", "application/x-protobuf")


def test_without_a_context_the_execution_is_the_trace_and_what_was_not_sampled_is_left_out(
    installed: Installation, receiver: Receiver
) -> None:
    installed.start()
    mine = client(installed)
    left_out = Options(traceparent=GIVEN.removesuffix("-01") + "-00")
    mine.submit("greet", _options=left_out).result(timeout=SOON)
    handle = mine.submit("greet")
    handle.result(timeout=SOON)
    trace = handle.id.replace("-", "")
    eventually("its trace is there", lambda: "greet" in receiver.named(trace))
    spans = receiver.named(trace)
    assert set(spans) == {"greet", "wait", "attempt 1", "prepare", "run", "commit"}
    told = attributes(spans["greet"])
    assert (told["muster.workflow"], told["muster.status"]) == ("greet", "SUCCESS")
    assert told["messaging.destination.name"] == "workflow-executions"
    assert GIVEN.split("-")[1] not in receiver.spans
    installed.stop()


@pytest.mark.parametrize("options", [Options(traceparent=GIVEN), Options()], ids=["somebody's", "its own"])
def test_what_a_workflow_submits_is_in_its_trace_below_the_run_that_submitted_it(
    installed: Installation, receiver: Receiver, options: Options
) -> None:
    installed.workflow("parent.py", PARENT)
    installed.start()
    handle = client(installed).submit("parent", _options=options)
    _, trace, run, _ = handle.result(timeout=SOON).split("-")
    assert trace == (GIVEN.split("-")[1] if options.traceparent else handle.id.replace("-", ""))
    eventually("both are in it", lambda: {"parent", "greet"} <= set(receiver.named(trace)))
    child = receiver.named(trace)["greet"]
    assert child.parent_span_id.hex() == run
    assert attributes(child)["muster.execution_id"] != handle.id


def test_what_was_not_sampled_submits_what_is_not(installed: Installation, receiver: Receiver) -> None:
    installed.workflow("parent.py", PARENT)
    installed.start()
    mine, left_out = client(installed), GIVEN.removesuffix("-01") + "-00"
    mine.submit("parent", _options=Options(traceparent=left_out)).result(timeout=SOON)
    eventually("the child is over", lambda: [row for row in mine.list(workflow="greet") if row.status == "SUCCESS"])
    # Traces are sent in the order in which executions end.
    last = mine.submit("greet")
    last.result(timeout=SOON)
    eventually("a later one is sent", lambda: "greet" in receiver.named(last.id.replace("-", "")))
    assert GIVEN.split("-")[1] not in receiver.spans


def test_a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_told_once(
    installed: Installation, receiver: Receiver
) -> None:
    receiver.answers = [503, 429]
    installed.start()
    mine = client(installed)
    first = mine.submit("greet")
    first.result(timeout=SOON)
    eventually("the first is there", lambda: first.id.replace("-", "") in receiver.spans)
    receiver.answers = [400, 400]
    for refused in (1, 2):
        mine.submit("greet").result(timeout=SOON)
        eventually("it is left out", lambda dropped=refused: f"muster_traces_dropped_total {dropped}" in metrics(installed))  # type: ignore[misc]
    last = mine.submit("greet")
    last.result(timeout=SOON)
    eventually("the last is there", lambda: last.id.replace("-", "") in receiver.spans)
    assert installed.log.count("traces are not taken") == 1, installed.log
    assert "correct otlp_url and otlp_headers" in installed.log
    # It is told once the collector has answered, a moment after it has the spans.
    eventually("both are counted", lambda: "muster_traces_sent_total 2" in metrics(installed))
    assert installed.log.count("takes traces again") == 1


def test_what_a_killed_supervisor_ran_is_in_the_trace_of_the_next(installed: Installation, receiver: Receiver) -> None:
    installed.settings["lease_seconds"] = 1
    installed.start()
    handle = client(installed).submit("slow", seconds=3)
    eventually("it runs", lambda: handle.get().status == "RUNNING")
    installed.stop(signal.SIGKILL)
    installed.start()
    client(installed).handle(handle.id).result(timeout=SOON)
    trace = handle.id.replace("-", "")
    eventually("its trace is there", lambda: "slow" in receiver.named(trace))
    spans = receiver.named(trace)
    assert {"attempt 1", "attempt 2"} <= set(spans)
    assert attributes(spans["attempt 1"])["muster.supervisor"] != attributes(spans["attempt 2"])["muster.supervisor"]
    assert spans["attempt 1"].status.code == 2


def metrics(installed: Installation) -> str:
    token = (installed.folder / "data" / "http_token").read_text().strip()
    return httpx.get(f"{installed.url}/metrics", headers={"authorization": f"Bearer {token}"}, trust_env=False).text
