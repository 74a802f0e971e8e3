"""What is measured of every peer, in the same way: how fast it works off a backlog, and how long a lone job takes."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Callable, List, NamedTuple, Protocol

AT_ONCE = 2
"""Worker processes, each with one job at a time."""
PAYLOAD = "x" * 960
_POLL_SECONDS = 0.01
_DEADLINE_SECONDS = 600.0


class Peer(Protocol):
    """A job system with two workers whose job does nothing with a text of 1 KiB."""

    name: str
    keeps: str
    """What is left of a job when it is over, and where."""

    def backlog(self, count: int) -> float:
        """Jobs per second over so many that all waited before the workers came."""

    def lone(self, rounds: int) -> List[float]:
        """Milliseconds from sending a job to having its result, one after another, with nothing else to do."""


class Measured(NamedTuple):
    name: str
    keeps: str
    per_second: float
    p50_ms: float
    p99_ms: float


def measure(peer: Peer, count: int, rounds: int) -> Measured:
    per_second = peer.backlog(count)
    times = sorted(peer.lone(rounds))
    return Measured(peer.name, peer.keeps, per_second, statistics.median(times), times[len(times) * 99 // 100])


def worked_off(left: Callable[[], int], count: int) -> float:
    """Jobs per second from the first tenth to the end, so that the start of the workers counts for nobody."""
    deadline, begun, first = time.monotonic() + _DEADLINE_SECONDS, 0.0, count
    while True:
        now, there = time.monotonic(), left()
        if not begun and there <= count * 0.9:
            begun, first = now, there
        if begun and there == 0:
            return first / (now - begun)
        if now > deadline:
            raise SystemExit(f"{there} of {count} jobs are left after {_DEADLINE_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def timed(once: Callable[[], object], rounds: int) -> List[float]:
    """Of each round the milliseconds; the first ones, which open connections, do not count."""
    times = []
    for _ in range(rounds + rounds // 10):
        begun = time.perf_counter()
        once()
        times.append((time.perf_counter() - begun) * 1000)
    return times[rounds // 10 :]


def write_plot(path: Path, all_measured: List[Measured]) -> None:
    """Two bars for each, on scales of their own."""
    width, row, label, bar = 860, 44, 250, 250
    most = max(one.per_second for one in all_measured)
    slowest = max(one.p50_ms for one in all_measured)
    height = 40 + row * len(all_measured)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{label}" y="22" font-weight="bold">jobs per second from a backlog</text>',
        f'<text x="{label + bar + 70}" y="22" font-weight="bold">a lone job, ms at the median</text>',
    ]
    for number, one in enumerate(all_measured):
        top = 34 + row * number
        colour = "#0072b2" if one.name.startswith("Muster") else "#999999"
        for left, value, largest, text in (
            (label, one.per_second, most, f"{one.per_second:,.0f}"),
            (label + bar + 70, one.p50_ms, slowest, f"{one.p50_ms:.2f}"),
        ):
            length = max(1.0, bar * 0.8 * value / largest)
            lines.append(f'<rect x="{left}" y="{top}" width="{length:.1f}" height="16" fill="{colour}"/>')
            lines.append(f'<text x="{left + length + 6:.1f}" y="{top + 12}">{text}</text>')
        lines.append(f'<text x="8" y="{top + 12}">{one.name}</text>')
        lines.append(f'<text x="8" y="{top + 26}" fill="#666" font-size="10">{one.keeps}</text>')
    path.write_text("\n".join([*lines, "</svg>", ""]))
