"""How fast Muster is beside other job systems, on the same machine in one run: `scripts/bench peers` installs them.

All have two worker processes with one job at a time, a job that does nothing, and a text of 1 KiB for it. What each keeps of a job
differs, and is said beside the numbers: Muster's are those of a committed record. A table is printed; peers.json and peers.svg
are written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bullmq import BullMq
from in_redis import Celery, Dramatiq, Huey, Pool, Rq
from measuring import Measured, Peer, measure, write_plot
from muster import Muster


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench peers")
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--node-modules", required=True, help="where bullmq is installed")
    parser.add_argument("--executions", type=int, default=20_000, help="RQ, which forks for each, has a tenth of them")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--port", type=int, default=18_480)
    parser.add_argument("--out", type=Path, default=Path("target/peers"))
    given = parser.parse_args()
    peers: List[Peer] = [
        *(Muster(given.supervisor, given.port, python, servers) for servers in (True, False) for python in (False, True)),
        Celery(),
        Dramatiq(),
        Huey(),
        Rq(),
        BullMq(str(Path(given.node_modules).resolve())),
        Pool(),
    ]
    print(f"{'two workers, a job that does nothing':42} {'per second':>10} {'lone p50':>9} {'p99 ms':>8}   what is kept", flush=True)
    measured = []
    for peer in peers:
        one = measure(peer, given.executions // 10 if isinstance(peer, Rq) else given.executions, given.rounds)
        print(f"{one.name:42} {one.per_second:10,.0f} {one.p50_ms:9.2f} {one.p99_ms:8.2f}   {one.keeps}", flush=True)
        measured.append(one)
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    write(given.out, measured)


def write(folder: Path, measured: List[Measured]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps([one._asdict() for one in measured], indent=1) + "\n")
    write_plot(folder / "peers.svg", measured)
    print(f"written: {folder / 'peers.json'}, {folder / 'peers.svg'}")


if __name__ == "__main__":
    main()
