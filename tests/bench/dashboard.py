"""What it costs that people look: processor time of the service beside open pages of the dashboard, and with none open.

Run by `scripts/bench dashboard` with a private PostgreSQL that holds two million ended executions of the last week, and a steady
load. Windows with and without take turns in one run, because machines are noisy. The browser runs on the same machine and
would take its part of any throughput, so what is counted is the processor time of the supervisor, its workers and PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import Dict, List, Set

from beside import Supervisor, fill, folder_with, sql

PAGES = ["", "executions", "limits"]
WATCH = Path(__file__).resolve().parents[1] / "dashboard" / "watch.js"
# Every twentieth failed, and each organization and workflow has its part, so that no page is quicker than it would be.
ENDED = """
INSERT INTO executions (id, workflow_name, organization_id, status, request, request_text, parameters, result, error_message, error_type, duration_ms, attempt,
    max_attempts, queue, run_after, created_at, started_at, completed_at, notified_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'old-' || n %% 40,
    ('00000000-0000-7000-9000-' || lpad(to_hex(n %% 25), 12, '0'))::uuid, CASE WHEN n %% 20 = 0 THEN 'FAILED' ELSE 'SUCCESS' END,
    '{"workflow": "old"}', '{"workflow": "old"}', '{}', '{"done": true}', CASE WHEN n %% 20 = 0 THEN 'it broke' END,
    CASE WHEN n %% 20 = 0 THEN 'OldError' END, 12, 1, 3, 'default', at, at, at, at, at
FROM generate_series(%(from)s, %(to)s) AS n, LATERAL (SELECT now() - interval '7 days' * (1 - n / %(rows)s.0) AS at) AS moment;
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rate", type=int, default=500, help="executions submitted per second")
    parser.add_argument("--windows", type=int, default=6, help="of each kind")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=18_480)
    given = parser.parse_args()
    with folder_with() as name:
        folder = Path(name)
        service = Supervisor(given.supervisor, folder, given.port, min_workers=4, max_workers=4)
        try:
            begun = time.monotonic()
            fill(ENDED, given.rows)
            sql("VACUUM ANALYZE")
            print(f"{given.rows} ended executions in {time.monotonic() - begun:.0f} s", flush=True)
            measure(service, given)
        finally:
            service.stop()


def measure(service: Supervisor, given: argparse.Namespace) -> None:
    is_over = threading.Event()
    load = threading.Thread(target=submit, args=(service, given.rate, is_over))
    load.start()
    try:
        window(service, given.seconds, [])
        costs: Dict[bool, List[float]] = {True: [], False: []}
        for turn in range(given.windows):
            for is_open in (False, True) if turn % 2 else (True, False):
                costs[is_open].append(window(service, given.seconds, PAGES if is_open else []))
    finally:
        is_over.set()
        load.join()
    with_, without = statistics.median(costs[True]), statistics.median(costs[False])
    cores = os.cpu_count() or 1
    share = (with_ - without) / (10 * cores)
    print(f"medians: {with_:.0f} ms of processor time a second with {len(PAGES)} pages open, {without:.0f} with none")
    print(f"the pages take {with_ - without:.0f} ms a second, {share:.1f} % of {cores} processors; load {os.getloadavg()[0]:.1f}")


def submit(service: Supervisor, rate: int, is_over: threading.Event) -> None:
    due = time.monotonic()
    while not is_over.is_set():
        service.submit(rate // 2)
        due += 0.5
        is_over.wait(max(0.0, due - time.monotonic()))


def window(service: Supervisor, seconds: float, pages: List[str]) -> float:
    """Milliseconds of processor time a second."""
    watcher = None
    if pages:
        command = ["node", str(WATCH), service.url, service.token, str(seconds), *pages]
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert watcher.stdout and watcher.stdout.readline() == "ready\n", "the browser did not start"
    begun, before, ended = time.monotonic(), spent(service), service.count("muster_executions_finished_total")
    time.sleep(seconds)
    took, cost = time.monotonic() - begun, spent(service) - before
    rate = (service.count("muster_executions_finished_total") - ended) / took
    told = ""
    if watcher and watcher.stdout:
        seen = json.loads(watcher.stdout.readline())
        watcher.wait()
        told = "; " + ", ".join(f"{page}: {one['changes']} changes, still for {one['longest_ms']} ms at most" for page, one in seen.items())
        faults = [fault for one in seen.values() for fault in one["faults"]]
        assert not faults, faults
    print(f"{'with' if pages else 'without':8} {1000 * cost / took:8.1f} ms/s at {rate:.0f} executions/s{told}", flush=True)
    return 1000 * cost / took


def spent(service: Supervisor) -> float:
    """Seconds of processor time of the supervisor, PostgreSQL, and all that they started."""
    parents: Dict[int, int] = {}
    times: Dict[int, float] = {}
    names: Dict[int, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        process, name = int(text[: text.index(" ")]), text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        # Its own, and that of children that are gone.
        parents[process], names[process], times[process] = int(fields[1]), name, sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    ours: Set[int] = {service.process.pid} | {process for process, name in names.items() if name == "postgres"}
    while more := {process for process, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(times.get(process, 0.0) for process in ours)


if __name__ == "__main__":
    main()
