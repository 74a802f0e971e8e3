"""Writes what each target begins with into a folder of its own below the one given."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Iterator, Tuple

ROOT = Path(__file__).resolve().parents[2]
ID = "0198aa00-0000-7000-8000-000000000001"

DEFINITIONS = [
    '''[organizations.acme]
name = "Acme"
weight = 3
[workflows.report]
organization = "acme"
timeout_seconds = 1.5
[workflows."a b"]
code = "export default () => 1"
language = "javascript"
[config.global]
url = "https://example.org"
nothing = { json = 'null' }
[config.acme]
numbers = [1, 2.5, { a = true }]
when = 2026-01-01T00:00:00Z
''',
    '[workflows]\nreport = { name = "other", organization = "x" }\n',
]

BODIES = {
    "POST /api/executions": {"workflow": "greet", "parameters": {"name": "Ada"}, "timeout_seconds": 30},
    "POST /api/executions/batch": [{"workflow": "w"}, {"workflow": "w", "priority": 10}],
    f"POST /api/executions/{ID}/cancel": None,
    f"POST /api/executions/{ID}/retry": {"execution_id": ID},
    "POST /api/pool/resize": {"min_workers": 1, "max_workers": 2},
    "POST /api/pool/recycle": {"worker": "worker-3"},
    "POST /api/pool/reload": None,
    "PUT /api/limits/reports": {"concurrency": 2},
    "PUT /api/workflows/w": {"name": "w", "timeout_seconds": 3},
    "PUT /api/organizations/acme": {"key": "acme", "name": "Acme"},
    "PUT /api/variables/k?organization=acme": {"value": [1, None]},
    "PUT /api/secrets/k": {"value": "hush"},
    "POST /api/definitions?dry_run=true": {"workflows": [{"name": "w"}]},
}
QUERIES = [
    "GET /api/executions?status=FAILED&workflow=w&since=2026-01-01T00:00:00%2B01:00&limit=3",
    "GET /api/executions?cursor=x&organization=acme&error_type=E&until=2026-01-01",
    f"GET /api/executions/{ID}?wait=0.01",
    f"GET /api/executions/{ID[:8]}/logs?follow=0&cursor=7",
    f"GET /api/executions/{ID}/events",
    f"GET /api/executions/{ID}/explain",
    f"GET /api/executions/{ID}/transcript?attempt=1",
]


def settings() -> Iterator[bytes]:
    """The names of the table, each alone with some values, and all of them."""
    table = (ROOT / "supervisor/settings/src/table.rs").read_text(encoding="utf-8")
    rows = re.findall(r'^\s+"(\w+)" => .*?default "(.*?)";', table, re.MULTILINE | re.DOTALL)
    for name, default in rows:
        yield f"{name} = {json.dumps(default)}\n".encode()
    yield "".join(f"{name} = {json.dumps(default)}\n" for name, default in rows).encode()
    yield b'worker_limits = ["files=200", "file_size_mb=8"]\nworker_env = ["*"]\nworker_ports = [5432]\n'
    yield b'database_url = "postgres://u:p%40@h:5432/d?sslmode=require"\nhttp_bind = "0.0.0.0:80"\nhttp_token = "none"\n'


def requests() -> Iterator[bytes]:
    document = (ROOT / "tests/tests/names/http.txt").read_text(encoding="utf-8")
    for method, path in re.findall(r"^(GET|POST|PUT|DELETE) (/\S*)", document, re.MULTILINE):
        yield f"{method} {re.sub('{(name|key)}', 'k', path.replace('{id}', ID))}".encode()
    for line, body in BODIES.items():
        yield f"{line}\n{json.dumps(body) if body is not None else ''}".encode()
    yield from (line.encode() for line in QUERIES)


def seeds() -> Iterator[Tuple[str, bytes]]:
    yield from (("settings", one) for one in settings())
    yield from (("definitions", one.encode()) for one in DEFINITIONS)
    yield from (("http", one) for one in requests())


for target, data in seeds():
    folder = Path(sys.argv[1]) / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
