"""What a million ended executions cost those that come after them: executions per second on a database with them and on an empty one.

Run by `scripts/bench finished` with a private PostgreSQL, which has both databases. A supervisor works on each; windows take turns in one
run, because machines are noisy, and whoever has no turn has nothing to do.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path
from typing import List

from beside import Supervisor, fill, folder_with, sql
from retention import ENDED


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--windows", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--port", type=int, default=18_460)
    given = parser.parse_args()
    url = os.environ["MUSTER_DATABASE_URL"]
    empty = f"{url.rsplit('/', 1)[0]}/empty"
    sql("CREATE DATABASE empty")
    with folder_with() as name:
        folder = Path(name)
        running: List[Supervisor] = []
        try:
            for at, database in enumerate((url, empty)):
                settings = {"database_url": database, "min_workers": 4, "max_workers": 4}
                running.append(Supervisor(given.supervisor, folder, given.port + at, **settings))
            fill(ENDED, given.rows)
            sql("VACUUM ANALYZE")
            measure(*running, given.windows, given.seconds)
        finally:
            for one in running:
                one.stop()


def turn(worker: Supervisor, seconds: float) -> float:
    """One window, and then whatever is left of its backlog."""
    rate = worker.window(seconds)
    worker.finish()
    return rate


def measure(full: Supervisor, empty: Supervisor, windows: int, seconds: float) -> None:
    rates: List[List[float]] = [[], []]
    for worker in (full, empty):
        turn(worker, 5)
    for number in range(windows):
        for at in (0, 1) if number % 2 else (1, 0):
            rates[at].append(turn((full, empty)[at], seconds))
            print(f"{('beside them', 'without')[at]:11} {rates[at][-1]:8.1f} executions/s", flush=True)
    pairs = [beside / without for beside, without in zip(*rates)]
    print(f"beside them, of without: median of pairs {statistics.median(pairs):.3f}, from {min(pairs):.3f} to {max(pairs):.3f}")


if __name__ == "__main__":
    main()
