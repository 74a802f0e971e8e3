"""Hooks: once in a worker, before and after each run; and what they cost when they fail."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any, List

import pytest
from supervisor import PACKAGE, Worker, environment

HEAD = "from muster_worker import context, on_run_end, on_run_start, on_worker_start, workflow\n"
POOL = """
import os, threading
seen, pools = [], []

@on_worker_start
def connect():
    pools.append(f"pool of {os.getpid()}")
    threading.Thread(target=threading.Event().wait, daemon=True).start()

@on_run_start
def begin():
    seen.append(["start", context.execution_id[-1]])
    os.environ["OF_HOOK"] = "1"

@on_run_end
def end(error):
    seen.append(["end", context.execution_id[-1], repr(error)])
    context.log.info("told")
"""
USER = HEAD + """
import os
import pool
@workflow
def look(): return [len(pool.pools), pool.seen, os.environ.get("OF_HOOK")]
@workflow
def fail(): raise ValueError("no")
@workflow
def odd(): return object()
@workflow
def strict(n: int): return n
@workflow
async def wait():
    import asyncio
    await asyncio.sleep(60)
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_hooks_are_called(tmp_path: Path) -> None:
    with Worker(folder(tmp_path, pool=HEAD + POOL, user=USER)) as worker:
        first = worker.run("look")
        assert first.result == [1, [["start", "1"]], "1"]
        assert (first.lines, first.idle.recycle) == (["told"], False)
        assert worker.run("fail").error.kind == "ValueError"
        assert worker.run("odd").error.kind == "InvalidResult"
        assert worker.run("strict", {"n": "x"}).error.kind == "InvalidParameters"
        worker.start("wait", timeout_ms=300)
        assert worker.finish().kind == "Cancelled"
        pools, seen, _ = worker.run("look").result
        assert pools == 1
        assert [one for one in seen if one[0] == "start"] == [["start", n] for n in "123456"]
        ends = [one[2].partition("(")[0] for one in seen if one[0] == "end"]
        assert ends == ["None", "ValueError", "InvalidResult", "InvalidParameters", "CancelledError"]


def test_a_changed_file_has_its_hooks_anew(tmp_path: Path) -> None:
    with Worker(folder(tmp_path, pool=HEAD + POOL, user=USER)) as worker:
        worker.run("look")
        (tmp_path / "pool.py").write_text(HEAD + POOL + "# changed\n")
        assert worker.run("look").result == [1, [["start", "2"]], "1"]
        (tmp_path / "pool.py").write_text("pools, seen = [], []\n")
        last = worker.run("look")
        assert (last.result, last.lines) == ([0, [], None], [])


def test_a_hook_that_fails_at_the_start_costs_only_who_imports_it_and_heals(tmp_path: Path) -> None:
    broken = HEAD + f"@on_worker_start\ndef connect():\n    open({str(tmp_path / 'there')!r})\n"
    good = HEAD + "@workflow\ndef good(): return 'good'\n"
    with Worker(folder(tmp_path, a=good, broken=broken, user=USER.replace("import pool\n", "import broken, pool\n"), pool=HEAD + POOL)) as worker:
        assert [one for one in worker.ready.workflows if not one.startswith("conformance.")] == ["good"]
        assert worker.run("good").result == "good"
        assert worker.run("fail").error.kind == "FileNotFoundError"
        (tmp_path / "there").write_text("")
        assert worker.run("fail").error.kind == "ValueError"


def test_a_hook_that_hangs_at_the_start_is_bounded(tmp_path: Path) -> None:
    hanging = HEAD + "import time\n@on_worker_start\ndef connect(): time.sleep(600)\n@workflow\ndef bad(): pass\n"
    good = HEAD + "@workflow\ndef good(): return 'good'\n"
    with Worker(folder(tmp_path, a=hanging, b=good), config={"worker_load_seconds": 0.3}) as worker:
        assert worker.run("good").result == "good"


def test_a_start_that_fails_is_the_runs_error_and_an_end_that_fails_is_logged(tmp_path: Path) -> None:
    text = HEAD + "@on_run_start\ndef begin():\n    if context.attempt == 2: raise KeyError('begin')\n@on_run_end\ndef end(error):\n    1 / 0\n@workflow\ndef good(): return 1\n"
    with Worker(folder(tmp_path, a=text)) as worker:
        run = worker.run("good")
        assert run.result == 1
        assert run.lines[0].startswith("the hook a.end failed\nTraceback") and "ZeroDivisionError" in run.lines[0]
        assert worker.run("good", attempt=2).error.kind == "KeyError"
        (tmp_path / "b.py").write_text(HEAD + "@workflow\ndef other(): return 2\n")
        other = worker.run("other", attempt=2)
        assert other.result == 2
        assert other.lines[0].startswith("the hook a.begin failed\nTraceback")


def test_inline_code_and_coroutines_have_no_hooks(shared: Worker) -> None:
    error = shared.code(HEAD + "@on_run_end\ndef end(error): pass\ndef main(params): pass\n").error
    assert (error.kind, "inline code has no hooks" in error.message) == ("RuntimeError", True)
    assert "write a plain function" in shared.code(HEAD + "@on_run_end\nasync def end(error): pass\ndef main(params): pass\n").error.message


def test_the_terminal_has_hooks_too(tmp_path: Path) -> None:
    folder(tmp_path, pool=HEAD + POOL, user=USER)
    command = [sys.executable, "-m", "muster_worker"]
    ran = subprocess.run([*command, "run", "look", "--workflows-dir", tmp_path], env=environment(), capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)[0] == 1 and "told" in ran.stderr
    listed = subprocess.run([*command, "list", "--workflows-dir", tmp_path], env=environment(), capture_output=True, text=True, check=True)
    assert "look" in listed.stdout


def test_the_example_tells_a_real_error_tracker(tmp_path: Path) -> None:
    pytest.importorskip("sentry_sdk")
    events: List[Any] = []

    class Tracker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = zlib.decompress(body, 47) if self.headers.get("Content-Encoding") == "gzip" else body
            events.extend(one for line in body.splitlines() if "exception" in (one := json.loads(line)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    example = (PACKAGE / "examples" / "hooks" / "error_tracker.py").read_text()
    folder(tmp_path, error_tracker=example, user=USER.replace("import pool\n", "").replace("[len(pool.pools), pool.seen,", "["))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tracker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dsn = f"SENTRY_DSN=http://key@127.0.0.1:{server.server_port}/1"
        with Worker(tmp_path, command=["env", dsn, sys.executable, "-m", "muster_worker"]) as worker:
            assert worker.run("look").kind == "Succeeded"
            failed = worker.run("fail", context={"organization": {"id": "7", "name": "Acme"}})
            assert failed.error.kind == "ValueError" and not failed.idle.recycle
            assert worker.run("strict", {"n": "x"}).kind == "Failed"
        server.shutdown()
    assert [one["exception"]["values"][0]["type"] for one in events] == ["ValueError", "InvalidParameters"]
    assert events[0]["tags"] == {"workflow": "fail", "execution_id": "00000000-0000-7000-8000-000000000002", "attempt": 1, "organization": "Acme"}
    assert "organization" not in events[1]["tags"]
