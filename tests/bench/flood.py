"""How long executions take beside a worker that sends messages without end: the time from POST to the answer with `?wait`, one at a time.

Run by `scripts/bench flood`, on the embedded store. Windows take turns in one run: nothing beside them; a worker that only computes, which
takes a processor, too; one that reports progress as fast as it can; and one that writes lines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Dict, List

from beside import Supervisor, folder_with

BESIDE = {
    "nothing": "",
    "computing": "",
    "progress": "ctx.progress(n, 0);",
    "lines": "console.log(`line ${n}`);",
}
# Until it is cancelled, which a run that computes is told of by its interpreter.
WITHOUT_END = "export default async (_, ctx) => {{ for (let n = 0; ; n++) {{ {each} }} }};\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--executions", type=int, default=1_000, help="of a window")
    parser.add_argument("--windows", type=int, default=5, help="of each kind")
    parser.add_argument("--port", type=int, default=18_470)
    given = parser.parse_args()
    endless = {kind: WITHOUT_END.format(each=each) for kind, each in BESIDE.items() if kind != "nothing"}
    with folder_with(**endless) as name:
        worker = Supervisor(given.supervisor, Path(name), given.port, min_workers=3, max_workers=3)
        try:
            measure(worker, given.windows, given.executions)
        finally:
            worker.stop()


def times_ms(worker: Supervisor, count: int) -> List[float]:
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        worker.ask("api/executions?wait=30", {"workflow": "nothing"})
        took.append((time.perf_counter() - begun) * 1_000)
    return sorted(took)


def window(worker: Supervisor, kind: str, count: int) -> List[float]:
    """The times beside one execution of this kind, which is ended after them."""
    if kind == "nothing":
        return times_ms(worker, count)
    beside = json.loads(worker.ask("api/executions", {"workflow": kind}))["execution_id"]
    while json.loads(worker.ask(f"api/executions/{beside}"))["started_at"] is None:
        time.sleep(0.05)
    took = times_ms(worker, count)
    worker.ask(f"api/executions/{beside}/cancel", {})
    worker.ask(f"api/executions/{beside}?wait=30")
    return took


def measure(worker: Supervisor, windows: int, count: int) -> None:
    windows_of: Dict[str, List[List[float]]] = {kind: [] for kind in BESIDE}
    times_ms(worker, count)
    for _ in range(windows):
        for kind in BESIDE:
            windows_of[kind].append(window(worker, kind, count))
    print(f"{'beside':10} {'p50 ms':>8} {'p99 ms':>8} {'p99, of with nothing':>22}")
    for kind, taken in windows_of.items():
        p50, p99 = (statistics.median(took[len(took) * part // 100] for took in taken) for part in (50, 99))
        ratios = [took[len(took) * 99 // 100] / none[len(none) * 99 // 100] for took, none in zip(taken, windows_of["nothing"])]
        print(f"{kind:10} {p50:8.2f} {p99:8.2f} {statistics.median(ratios):14.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
