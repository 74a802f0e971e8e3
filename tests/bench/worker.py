"""What a short run costs beside a worker, on bare pipes: this program stands where the supervisor is, and does nothing else.

Each worker is asked for `conformance.echo`, one run after another: the round trip from the write of Execute to Idle, and
the worker's own user and system time. Workers take turns, block by block, so that a busy machine slows all of them alike;
of the blocks the median is shown, and beside it how it stands to the first worker's of the same block.

Without `--worker` the three SDKs' workers are measured, and with `--before` what that commit had of Python and Node too.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

ROOT = Path(__file__).resolve().parents[2]
PARAMS = json.dumps({"n": 1, "text": "x" * 40, "list": [1, 2, 3]}).encode()
IDLE = 8
EXECUTION_ID = b"01234567-89ab-cdef-0123-456789abcdef"


class Cost(NamedTuple):
    """Of one run, in microseconds."""

    wall: float
    user_and_system: float


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


class Worker:
    """One worker process and the pipes to it."""

    def __init__(self, command: List[str], cores: List[int], workflow: bytes, workflows_dir: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        environment = {**kept, "MUSTER_PROTOCOL": "1", "MUSTER_CONFORMANCE": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, bufsize=0
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        os.sched_setaffinity(self.process.pid, cores)
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        self._rest = b""
        self._run = 0
        self._workflow = workflow
        self._until(0)
        config = json.dumps({"workflows_dir": workflows_dir} if workflows_dir else {}).encode()
        features = [b"log", b"progress", b"call", b"cancel", b"ping", b"drain", b"dump"]
        welcome = struct.pack("<IH", 0, 1) + text(b"bench") + struct.pack("<Q", len(features)) + b"".join(map(text, features))
        os.write(self._to, frame(welcome + struct.pack("<II", 16_777_215, 2) + text(config)))
        self._until(1)

    def _until(self, index: int) -> None:
        """Reads on until a message of this kind is there."""
        data = self._rest
        while True:
            while len(data) >= 8 and len(data) >= (end := 4 + int.from_bytes(data[:4], "big")):
                found, data = int.from_bytes(data[4:8], "little"), data[end:]
                if found == index:
                    self._rest = data
                    return
            more = os.read(self._from, 65536)
            if not more:
                raise SystemExit("a worker is gone")
            data += more

    def _execute(self) -> bytes:
        self._run += 1
        head = struct.pack("<II", 1, self._run) + text(EXECUTION_ID) + struct.pack("<I", 1) + text(self._workflow)
        return frame(head + struct.pack("<I", 0) + text(PARAMS) + text(b"{}") + struct.pack("<QI", 60_000, 1_000))

    def used_ns(self) -> int:
        """What all its threads have used, to the nanosecond."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((one / "schedstat").read_text().split()[0]) for one in threads)

    def block(self, runs: int) -> Cost:
        """So many runs, one after another."""
        frames = [self._execute() for _ in range(runs)]
        used, began = self.used_ns(), time.perf_counter_ns()
        for one in frames:
            os.write(self._to, one)
            self._until(IDLE)
        wall = time.perf_counter_ns() - began
        # What it does after Idle is of the run, too: it reads on when it has done so.
        time.sleep(0.005)
        return Cost(wall / runs / 1000, (self.used_ns() - used) / runs / 1000)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def named(argument: str) -> Tuple[str, List[str]]:
    name, equals, command = argument.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=COMMAND")
    return name, shlex.split(command)


def workers_of(sources: Path, suffix: str) -> List[Tuple[str, List[str]]]:
    """The workers in Python and Node of a copy of the sources."""
    python = ["env", f"PYTHONPATH={sources / 'worker/python'}", sys.executable, "-m", "muster_worker"]
    return [(f"python{suffix}", python), (f"node{suffix}", [str(sources / "worker/node/bin/muster-worker")])]


def before(commit: str, folder: Path) -> List[Tuple[str, List[str]]]:
    """The workers as they were at that commit."""
    archive = subprocess.run(
        ["git", "archive", commit, "worker/python", "worker/node"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return workers_of(folder, " before")


def table(costs: Dict[str, List[Cost]]) -> str:
    first = next(iter(costs.values()))
    lines = [f"{'worker':14} {'wall us':>8} {'ratio':>6} {'cpu us':>8} {'ratio':>6}"]
    for name, blocks in costs.items():
        wall, used = (statistics.median(one[at] for one in blocks) for at in (0, 1))
        ratios = [statistics.median(one[at] / other[at] for one, other in zip(blocks, first)) for at in (0, 1)]
        lines.append(f"{name:14} {wall:8.1f} {ratios[0]:6.2f} {used:8.1f} {ratios[1]:6.2f}")
    return "\n".join(lines)


def measure(arguments: argparse.Namespace, cores: List[int]) -> str:
    os.sched_setaffinity(0, cores[:1])
    workers = {
        name: Worker(command, cores[-1:], arguments.workflow.encode(), arguments.workflows_dir)
        for name, command in arguments.worker
    }
    costs: Dict[str, List[Cost]] = {name: [] for name in workers}
    for name in workers:
        workers[name].block(arguments.runs)
    for _ in range(arguments.blocks):
        for name, worker in workers.items():
            costs[name].append(worker.block(arguments.runs))
    for worker in workers.values():
        worker.end()
    return table(costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", type=named, action="append", metavar="NAME=COMMAND")
    parser.add_argument("--before", metavar="COMMIT")
    parser.add_argument("--workflow", default="conformance.echo")
    parser.add_argument("--workflows-dir", default="")
    parser.add_argument("--runs", type=int, default=1000, help="of a block")
    parser.add_argument("--blocks", type=int, default=21)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        if arguments.worker is None:
            rust = os.path.join(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "release", "worker")
            arguments.worker = [("rust", [rust]), *workers_of(ROOT, "")]
        if arguments.before is not None:
            arguments.worker += before(arguments.before, Path(folder))
        print("one core\n" + measure(arguments, [0]))
        if os.cpu_count() != 1:
            print("two cores\n" + measure(arguments, [0, 1]))


if __name__ == "__main__":
    main()
