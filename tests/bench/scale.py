"""What an execution costs with ten, a hundred and a thousand workers, and what two and three supervisors on one database do.

Run by `scripts/bench scale` with a private PostgreSQL. With more workers each execution waits longer without using the processor, so that the same
number ends in a second and what differs is the number of workers alone. Supervisors get executions that wait, of which each can run so many as it
has workers, and such as do nothing, of which all together run what the processors and the database give.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Set

from beside import NOTHING, Supervisor, sql

TICKS = os.sysconf("SC_CLK_TCK")
# What one supervisor is to have to do in a second, whatever the number of its workers.
RATE = 400
WAIT_MS = 50
WORKERS = 8
RUNNING = "SELECT count(*) FROM executions WHERE status = 'RUNNING'"
# The first runs of a process are dearer than those after it.
SETTLES_SECONDS = 10


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 30, 100, 300, 1_000])
    parser.add_argument("--supervisors", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--out", type=Path, default=Path("target/scale"))
    parser.add_argument("--port", type=int, default=18_700)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found: Dict[str, List[Dict[str, Any]]] = {"workers": [], "waiting": [], "nothing": []}
    for workers in given.workers:
        found["workers"].append(measured(given, 1, workers, waits(1_000 * workers // RATE)))
    for kind, code in (("waiting", waits(WAIT_MS)), ("nothing", NOTHING)):
        for supervisors in given.supervisors:
            found[kind].append(measured(given, supervisors, WORKERS, code))
    (given.out / "scale.json").write_text(json.dumps(found, indent=1))
    (given.out / "scale.svg").write_text(drawn(found))
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"load {load}; {given.out / 'scale.svg'}")


def waits(milliseconds: int) -> str:
    return f"export default (_, ctx) => ctx.sleep({milliseconds}).then(() => null);\n"


def measured(given: argparse.Namespace, supervisors: int, workers: int, code: str) -> Dict[str, Any]:
    """A window of work: executions per second, and processor time for each, of supervisors with their workers and of PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        (folder / "workflows").mkdir()
        (folder / "workflows" / "nothing.js").write_text(code)
        ports = range(given.port, given.port + supervisors)
        running = [Supervisor(given.supervisor, folder, port, min_workers=workers, max_workers=workers) for port in ports]
        try:
            fed(running)
            until = time.monotonic() + 120
            # All workers have started: that is not what is measured.
            while int(sql(RUNNING)[0]) < supervisors * workers * 0.9 and time.monotonic() < until:
                fed(running)
                time.sleep(0.2)
            time.sleep(SETTLES_SECONDS)
            before, begun = spent(running), time.monotonic()
            while time.monotonic() < begun + given.seconds:
                fed(running)
                time.sleep(0.2)
            after, seconds = spent(running), time.monotonic() - begun
        finally:
            for one in running:
                one.stop()
            sql("TRUNCATE executions, execution_requests, execution_events, execution_logs")
    ended = after["ended"] - before["ended"]
    cost = {whose: (after[whose] - before[whose]) / ended * 1e6 for whose in ("muster", "postgres")}
    result = {"supervisors": supervisors, "workers": workers, "per_second": ended / seconds, "cpu_us": cost}
    print(
        f"{supervisors} supervisors with {workers} workers each: {ended / seconds:.0f} executions per second; for each "
        f"{cost['muster']:.0f} us of supervisor and workers, {cost['postgres']:.0f} us of PostgreSQL",
        flush=True,
    )
    return result


def fed(running: List[Supervisor]) -> None:
    while running[0].pending() < 3_000:
        running[0].submit(1_000)


def spent(running: List[Supervisor]) -> Dict[str, float]:
    return {
        "ended": sum(one.count("muster_executions_finished_total") for one in running),
        "muster": sum(seconds(one.process.pid) for one in running),
        "postgres": seconds(postmaster()),
    }


def postmaster() -> int:
    return int(sql("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")[0])


def fields(process: int) -> List[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def parent(process: int) -> int:
    try:
        return int(fields(process)[1])
    except OSError:
        return 0


def seconds(process: int) -> float:
    """Processor time of a process, of those it started that live, and of those that it outlived."""
    children: Dict[int, Set[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (above := parent(int(entry.name))):
            children.setdefault(above, set()).add(int(entry.name))
    whole, all_of_them = 0, [process]
    for one in all_of_them:
        all_of_them += children.get(one, set())
        try:
            whole += sum(int(ticks) for ticks in fields(one)[11:15])
        except OSError:
            pass
    return whole / TICKS


def drawn(found: Dict[str, List[Dict[str, Any]]]) -> str:
    """Two plots: processor time of an execution by the number of workers, and executions per second by that of supervisors."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 340" font-family="sans-serif" font-size="12">', '<rect width="900" height="340" fill="white"/>']
    cost = [(str(one["workers"]), one["cpu_us"]["muster"], one["cpu_us"]["postgres"]) for one in found["workers"]]
    rates = [(str(one["supervisors"]), one["per_second"], two["per_second"]) for one, two in zip(found["waiting"], found["nothing"])]
    parts += bars(40, "us of processor time for each execution, by workers", cost, ("supervisor and workers", "PostgreSQL"))
    parts += bars(490, "of those of one supervisor, by supervisors", [(name, one / rates[0][1], two / rates[0][2]) for name, one, two in rates],
                  (f"executions that wait {WAIT_MS} ms", "that do nothing"))  # fmt: skip
    return "\n".join([*parts, "</svg>\n"])


def bars(left: int, title: str, rows: List[Any], names: Any) -> List[str]:
    parts = [f'<text x="{left}" y="24" font-weight="bold">{title}</text>']
    top = max(max(row[1:]) for row in rows) or 1
    step = 370 / len(rows)
    for at, (name, *values) in enumerate(rows):
        for place, (value, colour) in enumerate(zip(values, ("#2563eb", "#d97706"))):
            height, x = 220 * value / top, left + at * step + place * step * 0.4
            parts.append(f'<rect x="{x:.0f}" y="{290 - height:.0f}" width="{step * 0.36:.0f}" height="{height:.0f}" fill="{colour}"/>')
            parts.append(f'<text x="{x:.0f}" y="{284 - height:.0f}">{value:.0f}</text>' if value >= 10 else f'<text x="{x:.0f}" y="{284 - height:.0f}">{value:.2f}</text>')
        parts.append(f'<text x="{left + at * step:.0f}" y="308">{name}</text>')
    for place, (name, colour) in enumerate(zip(names, ("#2563eb", "#d97706"))):
        parts.append(f'<rect x="{left + place * 200}" y="320" width="10" height="10" fill="{colour}"/><text x="{left + place * 200 + 16}" y="330">{name}</text>')
    return parts


if __name__ == "__main__":
    main()
