"""What forgetting costs those who work: executions per second beside a supervisor that prunes, and beside the same one stopped.

Run by `scripts/bench retention` with a private PostgreSQL. Windows with and without take turns in one run, because machines
are noisy. Two supervisors share the database: one runs no-ops from a backlog, the other serves a queue without work and
forgets what ended long ago; without, it is stopped in its tracks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List

ENDED = """
INSERT INTO executions (id, workflow_name, status, request, request_text, parameters, result, duration_ms, attempt, max_attempts, queue,
    run_after, created_at, started_at, completed_at, notified_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'old', CASE WHEN n %% 20 = 0 THEN 'FAILED' ELSE 'SUCCESS' END,
    '{"workflow": "old"}', '{"workflow": "old"}', '{}', '{"done": true}', 12, 1, 3, 'default', at, at, at, at, at
FROM generate_series(%(from)s, %(to)s) AS n, LATERAL (SELECT now() - interval '90 days' + n * interval '1 millisecond' AS at) AS moment;
INSERT INTO execution_logs (execution_id, attempt, sequence, logged_at, level, stream, logger, message)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, line, now(), 'info', 'log', 'old', 'a line of a log that nobody reads any more'
FROM generate_series(%(from)s, %(to)s) AS n, generate_series(1, 2) AS line;
INSERT INTO execution_events (execution_id, at, attempt, event)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, now(), 1, event
FROM generate_series(%(from)s, %(to)s) AS n, unnest(ARRAY['claimed', 'started', 'finalized']) AS event;
"""
STEP = 100_000
BACKLOG = 3_000


class Supervisor:
    """One of the two, with its own data and port."""

    def __init__(self, binary: str, folder: Path, port: int, **settings: Any) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.data = folder / f"data-{port}"
        known = {"data_dir": self.data, "http_bind": f"127.0.0.1:{port}", "workflows_dir": folder / "workflows", **settings}
        environment = {**os.environ, **{f"MUSTER_{name.upper()}": str(value) for name, value in known.items()}}
        self.process = subprocess.Popen([binary, "run"], env=environment, stderr=(folder / f"log-{port}").open("w"))
        end = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/readyz")
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit((folder / f"log-{port}").read_text()) from None
                time.sleep(0.2)
        self.token = (self.data / "http_token").read_text().strip()

    def ask(self, path: str, body: Any = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"authorization": f"Bearer {self.token}", "content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def count(self, metric: str) -> int:
        return sum(int(found) for found in re.findall(rf"^{metric}(?:{{[^}}]*}})? (\d+)", self.ask("metrics"), re.MULTILINE))

    def pending(self) -> int:
        return json.loads(self.ask("api/pool"))["pending"] or 0


def sql(text: str) -> List[str]:
    done = subprocess.run(["psql", os.environ["MUSTER_DATABASE_URL"], "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()


def sizes() -> str:
    row = sql("SELECT pg_size_pretty(pg_database_size(current_database())), sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname LIKE 'execution%'")
    return "size {}, dead rows {}".format(*row[0].split("|"))


def keep_busy(worker: Supervisor) -> None:
    while worker.pending() < BACKLOG:
        worker.ask("api/executions/batch", [{"workflow": "nothing"}] * 1_000)


def window(worker: Supervisor, seconds: float) -> float:
    keep_busy(worker)
    begun, before = time.monotonic(), worker.count("muster_executions_finished_total")
    while time.monotonic() < begun + seconds:
        keep_busy(worker)
        time.sleep(0.5)
    return (worker.count("muster_executions_finished_total") - before) / (time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--windows", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=18_420)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        (folder / "workflows").mkdir()
        (folder / "workflows" / "nothing.js").write_text("export default async () => null;\n")
        running: List[Supervisor] = []
        try:
            running.append(Supervisor(given.supervisor, folder, given.port, min_workers=4, max_workers=4))
            fill(running[0], given.rows)
            idle = {"queue": "nobody", "min_workers": 1, "max_workers": 1}
            running.append(Supervisor(given.supervisor, folder, given.port + 1, retention_days=1, **idle))
            measure(running[0], running[1], given.windows, given.seconds)
        finally:
            for one in running:
                one.process.send_signal(signal.SIGCONT)
                one.process.send_signal(signal.SIGTERM)
            for one in running:
                one.process.wait()


def fill(worker: Supervisor, rows: int) -> None:
    begun = time.monotonic()
    for first in range(1, rows + 1, STEP):
        sql(ENDED % {"from": first, "to": min(first + STEP - 1, rows)})
    sql("ANALYZE")
    print(f"{rows} ended executions, {2 * rows} lines, {3 * rows} events, in {time.monotonic() - begun:.0f} s; {sizes()}", flush=True)
    begun = time.monotonic()
    try:
        told = json.loads(worker.ask("api/prune", {"older_than_seconds": 86_400, "dry_run": True}))
        said = f"{told['executions']} executions, {told['logs']} lines, {told['events']} events"
    except urllib.error.HTTPError as error:
        said = f"nothing: {json.loads(error.read())['detail']}"
    print(f"after {time.monotonic() - begun:.1f} s a dry run tells of {said}", flush=True)


def measure(worker: Supervisor, pruner: Supervisor, windows: int, seconds: float) -> None:
    rates: Dict[str, List[float]] = {"without": [], "with": []}
    window(worker, 5)
    for turn in range(windows):
        for kind in ("without", "with") if turn % 2 else ("with", "without"):
            pruner.process.send_signal(signal.SIGCONT if kind == "with" else signal.SIGSTOP)
            before = pruner.count("muster_executions_pruned_total") if kind == "with" else 0
            rates[kind].append(window(worker, seconds))
            pruned = (pruner.count("muster_executions_pruned_total") - before) / seconds if kind == "with" else 0
            print(f"{kind:8} {rates[kind][-1]:8.1f} executions/s, {pruned:8.1f} pruned/s", flush=True)
    pairs = [with_ / without for with_, without in zip(rates["with"], rates["without"])]
    pruner.process.send_signal(signal.SIGCONT)
    print(f"with, of without: median of pairs {statistics.median(pairs):.3f}, from {min(pairs):.3f} to {max(pairs):.3f}")
    print(f"medians: with {statistics.median(rates['with']):.1f}, without {statistics.median(rates['without']):.1f}; {sizes()}")


if __name__ == "__main__":
    main()
