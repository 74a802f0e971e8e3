"""One process per execution, and what twenty workers cost: Muster's template beside Celery's prefork and RQ's fork per job.

Run by `scripts/bench template` in an environment of its own, with a private Redis. All in one run, because machines are noisy.
Each side has the workflow's module, numpy and pandas loaded before it forks, runs the same function, and one process
serves one execution.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List

REPOSITORY = Path(__file__).resolve().parents[2]
SDK = REPOSITORY / "worker" / "python"
AT_ONCE = 2
WORKERS = 20

TASK = """
import numpy, pandas

def work(n):
    return int(numpy.arange(n).sum())
"""
WORKFLOW = TASK + "\nfrom muster_worker import workflow\nwork = workflow(work)\n"
CELERY = TASK + """
import os
from celery import Celery
app = Celery(broker=os.environ["BROKER"], backend=os.environ["BROKER"])
work = app.task(name="work")(work)
"""
RQ = """
import os, tasks
from redis import Redis
from rq import Queue, Worker
connection = Redis.from_url(os.environ["REDIS"])
Worker([Queue(connection=connection)], connection=connection).work(burst=True, logging_level="ERROR")
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--redis", required=True, help="the socket of a Redis that may be flushed")
    parser.add_argument("--executions", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        os.environ.update(REDIS=f"unix://{given.redis}", BROKER=f"redis+socket://{given.redis}", PYTHONDONTWRITEBYTECODE="1")
        os.chdir(folder)
        (folder / "workflows").mkdir()
        (folder / "workflows" / "tasks.py").write_text(WORKFLOW)
        (folder / "tasks.py").write_text(TASK)
        (folder / "celery_tasks.py").write_text(CELERY)
        (folder / "rq_worker.py").write_text(RQ)
        fork_to_ready(folder)
        memory_beside_celery(folder)
        rates = {
            "muster, template": muster(given.supervisor, folder, given.executions),
            "rq, fork per job": rq(given.executions),
            "celery, max-tasks-per-child 1": celery(given.executions),
        }
        for what, rate in rates.items():
            print(f"one process per execution, {AT_ONCE} at once, {what}: {rate:.1f} executions/s")
        print(f"muster / rq: {rates['muster, template'] / rates['rq, fork per job']:.1f}")


def fork_to_ready(folder: Path) -> None:
    """With the test's own supervisor, so that nothing but the worker is measured."""
    sys.path[:0] = [str(SDK), str(SDK / "tests")]
    from template import TemplateProcess

    with TemplateProcess(folder / "workflows") as template:
        took: List[float] = []
        children = []
        for _ in range(WORKERS):
            began = time.perf_counter()
            children.append(template.worker())
            took.append((time.perf_counter() - began) * 1000)
        for child in children:
            child.run("work", {"n": 10})
        say_memory("muster", [template.process.pid], [child.process.pid for child in children])
        print(f"fork to Ready: p50 {statistics.median(took):.1f} ms, least {min(took):.1f} ms")
        for child in children:
            child.process.stdin.close()


def memory_beside_celery(folder: Path) -> None:
    with celery_worker(WORKERS, []) as parent:
        from celery_tasks import work  # type: ignore[import-not-found]

        for one in [work.delay(10) for _ in range(4 * WORKERS)]:
            one.get(timeout=120)
        children = [int(one) for one in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]
        say_memory("celery", [parent.pid], children)


def say_memory(what: str, parents: List[int], children: List[int]) -> None:
    private = statistics.median(kilobytes(one, "Private_Clean", "Private_Dirty") for one in children)
    total = sum(kilobytes(one, "Pss") for one in parents + children)
    print(f"{what}, {len(children)} workers after a run: {private / 1024:.1f} MiB private each, {total / 1024:.0f} MiB PSS in all")


def kilobytes(process: int, *names: str) -> int:
    lines = (line.split() for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    values: Dict[str, int] = {line[0].rstrip(":"): int(line[1]) for line in lines}
    return sum(values[name] for name in names)


def muster(supervisor: str, folder: Path, executions: int) -> float:
    """Of two batches, so that the start counts for neither."""

    def batch(count: int) -> float:
        lines = folder / "batch.jsonl"
        lines.write_text("".join(json.dumps({"workflow": "work", "params": {"n": 10}}) + "\n" for _ in range(count)))
        settings = {
            "worker_command": f"{sys.executable} -m muster_worker",
            "worker_env": f"PYTHONPATH={SDK}",
            "workflows_dir": str(folder / "workflows"),
            "data_dir": str(folder / "data"),
            "min_workers": str(AT_ONCE),
            "max_workers": str(AT_ONCE),
            "isolation": "execution",
        }
        variables = {f"MUSTER_{key.upper()}": value for key, value in settings.items()}
        began = time.perf_counter()
        subprocess.run([supervisor, "batch", str(lines)], env={**os.environ, **variables}, check=True, **QUIET)
        return time.perf_counter() - began

    return rate(batch, executions)


def rq(executions: int) -> float:
    from redis import Redis
    from rq import Queue

    def burst(count: int) -> float:
        connection = Redis.from_url(os.environ["REDIS"])
        connection.flushdb()
        queue = Queue(connection=connection)
        for _ in range(count):
            queue.enqueue("tasks.work", 10)
        began = time.perf_counter()
        workers = [subprocess.Popen([sys.executable, "rq_worker.py"], **QUIET) for _ in range(AT_ONCE)]
        for worker in workers:
            worker.wait()
        return time.perf_counter() - began

    return rate(burst, executions)


def celery(executions: int) -> float:
    with celery_worker(AT_ONCE, ["--max-tasks-per-child", "1"]):
        from celery_tasks import work

        work.delay(10).get(timeout=120)
        began = time.perf_counter()
        for one in [work.delay(10) for _ in range(executions)]:
            one.get(timeout=300)
        return executions / (time.perf_counter() - began)


class celery_worker:
    def __init__(self, concurrency: int, more: List[str]) -> None:
        command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-l", "ERROR", "-c", str(concurrency)]
        sys.path.insert(0, os.getcwd())
        self._process = subprocess.Popen([*command, "--without-gossip", "--without-mingle", *more], **QUIET)

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def rate(run: Callable[[int], float], executions: int) -> float:
    few = max(1, executions // 10)
    return (executions - few) / (run(executions) - run(few))


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

if __name__ == "__main__":
    main()
