"""The metrics are read by Prometheus's own parsers, in both of its formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from installation import Installation
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from muster_client import Client

Parser = Callable[[str], Iterable[Any]]
OPEN = "application/openmetrics-text;version=1.0.0"


def asked(installation: Installation, accept: str | None) -> httpx.Response:
    token = (installation.folder / "data" / "http_token").read_text().strip()
    headers = {"authorization": f"Bearer {token}"} | ({"accept": accept} if accept is not None else {})
    answer = httpx.get(f"{installation.url}/metrics", headers=headers, trust_env=False)
    return answer.raise_for_status()


@pytest.mark.parametrize(
    ("accept", "kind", "parser"),
    [
        (f"{OPEN};q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "application/openmetrics-text", open_metrics),
        ("text/plain;version=0.0.4", "text/plain", plain),
        ("*/*", "application/openmetrics-text", open_metrics),
    ],
)
def test_each_format_is_read_by_its_parser(
    installation: Installation, client: Client, accept: str, kind: str, parser: Parser
) -> None:
    client.submit("greet").result(60)
    httpx.get(f"{installation.url}/no/such/path", trust_env=False)
    answer = asked(installation, accept)
    assert answer.headers["content-type"].startswith(kind)
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser(answer.text)
        for sample in family.samples
    }
    finished = samples[("muster_executions_finished_total", (("status", "SUCCESS"),))]
    assert finished >= 1
    assert samples[("muster_execution_seconds_count", ())] >= 1
    request = (("method", "POST"), ("route", "/api/executions"), ("status", "202"))
    assert samples[("muster_http_requests_total", request)] >= 1
    assert samples[("process_resident_memory_bytes", ())] > 1_000_000
    assert samples[("process_open_fds", ())] > 3
    assert samples[("process_cpu_seconds_total", ())] > 0


def test_both_formats_say_the_same(installation: Installation, client: Client) -> None:
    client.submit("greet").result(60)

    def families(accept: str, parser: Parser) -> dict[str, tuple[str, str]]:
        found = parser(asked(installation, accept).text)
        return {one.name: (one.type, one.documentation) for one in found if not one.name.startswith("muster_ready")}

    assert families("text/plain", plain) == families(OPEN, open_metrics)
