"""Whether the record stays its size: executions come and go with a retention of minutes, and its size is looked at as they do.

Run by `scripts/bench churn`, on a private PostgreSQL or with `--sqlite` on the embedded store. At the end nothing is submitted any
more, and all that is left goes, too.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import List

from beside import Supervisor, sql

TALKS = "export default async (_, ctx) => { for (let line = 0; line < 5; line++) ctx.log.info('a line of a log that is kept for a while'); };\n"


def postgres() -> List[int]:
    """Bytes, executions, dead rows."""
    row = sql(
        "SELECT pg_database_size(current_database()), (SELECT count(*) FROM executions), "
        "(SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname LIKE 'execution%')"
    )[0]
    return [int(number) for number in row.split("|")]


def sqlite(file: Path) -> List[int]:
    size = sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.exists())
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30) as connection:
        rows = connection.execute("SELECT count(*) FROM executions").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return [size, int(rows), int(free)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--kept-minutes", type=float, default=2)
    parser.add_argument("--rate", type=int, default=400, help="executions submitted per second")
    parser.add_argument("--port", type=int, default=18_460)
    given = parser.parse_args()
    if given.sqlite:
        os.environ.pop("MUSTER_DATABASE_URL", None)
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        (folder / "workflows").mkdir()
        (folder / "workflows" / "nothing.js").write_text(TALKS)
        settings = {"retention_days": given.kept_minutes / 1_440, "min_workers": 4, "max_workers": 4}
        worker = Supervisor(given.supervisor, folder, given.port, **settings)
        try:
            churn(worker, given)
        finally:
            worker.stop()


def churn(worker: Supervisor, given: argparse.Namespace) -> None:
    unit = "free pages" if given.sqlite else "dead rows"
    look = (lambda: sqlite(worker.data / "muster.db")) if given.sqlite else postgres
    begun, sizes, shown = time.monotonic(), [], 0.0
    submitted = 0

    def show(label: str) -> int:
        size, rows, loose = look()
        pruned = worker.count("muster_executions_pruned_total")
        passed = (time.monotonic() - begun) / 60
        print(f"{passed:6.1f} min {label:9} {size / 2**20:8.1f} MiB {rows:8} executions {loose:8} {unit}, {submitted} submitted, {pruned} pruned", flush=True)
        return size

    while (passed := time.monotonic() - begun) < given.minutes * 60:
        wanted = int(passed * given.rate)
        if wanted - submitted >= 200 and worker.pending() < 20_000:
            worker.submit(200)
            submitted += 200
        else:
            time.sleep(0.05)
        if passed - shown >= max(10.0, given.minutes):
            shown = passed
            size = show("churning")
            # The first minutes fill it.
            if passed > given.kept_minutes * 60 * 2:
                sizes.append(size)
    half = len(sizes) // 2
    if half:
        print(f"largest of the first half {max(sizes[:half]) / 2**20:.1f} MiB, of the second {max(sizes[half:]) / 2**20:.1f} MiB; load {os.getloadavg()[0]:.1f}")
    end = time.monotonic() + given.kept_minutes * 60 * 3 + 300
    while look()[1] and time.monotonic() < end:
        time.sleep(5)
    show("empty")


if __name__ == "__main__":
    main()
