"""What forgetting costs those who work: executions per second beside a supervisor that prunes, and beside the same one stopped.

Run by `scripts/bench retention` with a private PostgreSQL. Windows with and without take turns in one run, because machines
are noisy. Two supervisors share the database: one runs no-ops from a backlog, the other serves a queue without work and
forgets what ended long ago; without, it is stopped in its tracks.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from pathlib import Path
from typing import List

from beside import Supervisor, fill, folder_with, in_turns, sql

ENDED = """
INSERT INTO executions (id, workflow_name, status, result, duration_ms, attempt, max_attempts, queue, run_after, created_at, started_at,
    completed_at, notified_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'old', CASE WHEN n %% 20 = 0 THEN 'FAILED' ELSE 'SUCCESS' END,
    '{"done": true}', 12, 1, 3, 'default', at, at, at, at, at
FROM generate_series(%(from)s, %(to)s) AS n, LATERAL (SELECT now() - interval '90 days' + n * interval '1 millisecond' AS at) AS moment;
INSERT INTO execution_requests (execution_id, request_text)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '{"workflow": "old"}'
FROM generate_series(%(from)s, %(to)s) AS n;
INSERT INTO execution_logs (execution_id, attempt, sequence, logged_at, level, stream, logger, message)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, line, now(), 'info', 'log', 'old', 'a line of a log that nobody reads any more'
FROM generate_series(%(from)s, %(to)s) AS n, generate_series(1, 2) AS line;
INSERT INTO execution_events (execution_id, at, attempt, event)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, now(), 1, event
FROM generate_series(%(from)s, %(to)s) AS n, unnest(ARRAY['claimed', 'finalized']) AS event;
"""


def sizes() -> str:
    row = sql("SELECT pg_size_pretty(pg_database_size(current_database())), sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname LIKE 'execution%'")
    return "size {}, dead rows {}".format(*row[0].split("|"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--windows", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=18_420)
    given = parser.parse_args()
    with folder_with() as name:
        folder = Path(name)
        running: List[Supervisor] = []
        try:
            running.append(Supervisor(given.supervisor, folder, given.port, min_workers=4, max_workers=4))
            remember(running[0], given.rows)
            idle = {"queue": "nobody", "min_workers": 1, "max_workers": 1}
            running.append(Supervisor(given.supervisor, folder, given.port + 1, retention_days=1, **idle))
            measure(running[0], running[1], given.windows, given.seconds)
        finally:
            for one in running:
                one.stop()


def remember(worker: Supervisor, rows: int) -> None:
    begun = time.monotonic()
    fill(ENDED, rows)
    sql("ANALYZE")
    print(f"{rows} ended executions, {2 * rows} lines, {2 * rows} events, in {time.monotonic() - begun:.0f} s; {sizes()}", flush=True)
    begun, told, asked = time.monotonic(), [0, 0, 0], 0
    wish = {"older_than_seconds": 86_400, "dry_run": True}
    while True:
        answer = json.loads(worker.ask("api/prune", wish))
        told = [before + answer[name] for before, name in zip(told, ("executions", "logs", "events"))]
        asked += 1
        if answer["is_done"]:
            break
        wish = {"before": answer["before"], "cursor": answer["next_cursor"], "dry_run": True}
    said = f"{told[0]} executions, {told[1]} lines, {told[2]} events"
    print(f"after {time.monotonic() - begun:.1f} s and {asked} requests a dry run tells of {said}", flush=True)


def measure(worker: Supervisor, pruner: Supervisor, windows: int, seconds: float) -> None:
    before = 0

    def switch(beside: bool) -> str:
        nonlocal before
        if not beside:
            pruner.process.send_signal(signal.SIGSTOP)
            return ""
        pruner.process.send_signal(signal.SIGCONT)
        pruned, before = pruner.count("muster_executions_pruned_total") - before, pruner.count("muster_executions_pruned_total")
        return f", {pruned / seconds:8.1f} pruned/s"

    in_turns(worker, switch, windows, seconds)
    print(sizes())


if __name__ == "__main__":
    main()
