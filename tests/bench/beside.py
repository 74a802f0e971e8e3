"""What the benchmarks share that measure one thing beside another: supervisors, their database, and windows in turns.

Windows of both kinds take turns in one run, because machines are noisy, and what counts is the ratio of a window to the one beside it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, List

BACKLOG = 3_000
# What a no-op costs is all that is measured, so its code does nothing.
NOTHING = "export default async () => null;\n"


def folder_with(**workflows: str) -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone at the end, with these workflows by their names, and one that does nothing."""
    folder = tempfile.TemporaryDirectory(prefix="muster-bench-")
    known = Path(folder.name) / "workflows"
    known.mkdir()
    for name, code in {"nothing": NOTHING, **workflows}.items():
        (known / f"{name}.js").write_text(code)
    return folder


class Supervisor:
    """A supervisor with its own data and port."""

    def __init__(self, binary: str, folder: Path, port: int, **settings: Any) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.data = folder / f"data-{port}"
        (folder / "workflows").mkdir(exist_ok=True)
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

    def ask(self, path: str, body: Any = None, method: str | None = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return str(answer.read().decode())

    def count(self, metric: str) -> int:
        return sum(int(found) for found in re.findall(rf"^{metric}(?:{{[^}}]*}})? (\d+)", self.ask("metrics"), re.MULTILINE))

    def pending(self) -> int:
        return int(json.loads(self.ask("api/pool"))["pending"] or 0)

    def submit(self, count: int) -> None:
        self.ask("api/executions/batch", [{"workflow": "nothing"}] * count)

    def keep_busy(self) -> None:
        while self.pending() < BACKLOG:
            self.submit(1_000)

    def finish(self) -> None:
        while self.pending():
            time.sleep(0.2)

    def window(self, seconds: float) -> float:
        """Executions per second from a backlog that never ends."""
        self.keep_busy()
        begun, before = time.monotonic(), self.count("muster_executions_finished_total")
        while time.monotonic() < begun + seconds:
            self.keep_busy()
            time.sleep(0.5)
        return (self.count("muster_executions_finished_total") - before) / (time.monotonic() - begun)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def sql(text: str) -> List[str]:
    command = ["psql", os.environ["MUSTER_DATABASE_URL"], "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()


def fill(statement: str, rows: int, step: int = 100_000) -> None:
    """Writes so many rows, a part at a time: `%(from)s` and `%(to)s` are its first and last number, `%(rows)s` is how many in all."""
    for first in range(1, rows + 1, step):
        sql(statement % {"from": first, "to": min(first + step - 1, rows), "rows": rows})


def in_turns(worker: Supervisor, switch: Callable[[bool], str], windows: int, seconds: float) -> None:
    """Windows with and without; `switch` sees to what is beside the work, and says of the window before what it came to."""
    rates: Dict[bool, List[float]] = {True: [], False: []}
    switch(False)
    worker.window(5)
    for turn in range(windows):
        for beside in (False, True) if turn % 2 else (True, False):
            switch(beside)
            rates[beside].append(worker.window(seconds))
            print(f"{'with' if beside else 'without':8} {rates[beside][-1]:8.1f} executions/s{switch(beside)}", flush=True)
    pairs = [with_ / without for with_, without in zip(rates[True], rates[False])]
    print(f"with, of without: median of pairs {statistics.median(pairs):.3f}, from {min(pairs):.3f} to {max(pairs):.3f}")
    medians = statistics.median(rates[True]), statistics.median(rates[False])
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"medians: with {medians[0]:.1f}, without {medians[1]:.1f} executions/s; load {load}")
