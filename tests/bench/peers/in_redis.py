"""Celery, Dramatiq, RQ and huey on one Redis, each with a database of its own, and `multiprocessing` without any."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List

import redis
from measuring import AT_ONCE, PAYLOAD, timed, worked_off

TASKS = Path(__file__).resolve().parent / "tasks"
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def server(database: int) -> str:
    """The address of a database of the Redis that all share."""
    return f"{os.environ['MUSTER_REDIS_URL'].rsplit('/', 1)[0]}/{database}"


@contextmanager
def programs(*commands: List[str]) -> Iterator[None]:
    """Runs these within the block."""
    running = [subprocess.Popen(command, cwd=TASKS, env=os.environ, **_QUIET) for command in commands]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for one in running:
            one.send_signal(signal.SIGTERM)
        for one in running:
            try:
                one.wait(30)
            except subprocess.TimeoutExpired:
                one.kill()


class InRedis:
    """What they have in common: a list that gets shorter."""

    name: str
    keeps: str
    _list: str
    _database: int
    _workers: List[List[str]]

    def __init__(self) -> None:
        os.environ[f"{type(self).__name__.upper()}_URL"] = server(self._database)
        sys.path[:0] = [str(TASKS)] if str(TASKS) not in sys.path else []
        self._redis = redis.Redis.from_url(server(self._database))
        self._redis.flushdb()

    def backlog(self, count: int) -> float:
        self._redis.flushdb()
        for _ in range(count):
            self._send()
        with programs(*self._workers):
            return worked_off(lambda: int(self._redis.llen(self._list)), count)  # type: ignore[arg-type]

    def lone(self, rounds: int) -> List[float]:
        self._redis.flushdb()
        with programs(*self._workers):
            self._send_and_wait()
            return timed(self._send_and_wait, rounds)

    def _send(self) -> None:
        raise NotImplementedError

    def _send_and_wait(self) -> None:
        raise NotImplementedError


class Celery(InRedis):
    name, keeps = "Celery, prefork", "the result for a day, in Redis's memory"
    _list, _database = "celery", 1
    _workers = [[sys.executable, "-m", "celery", "-A", "of_celery", "worker", "-l", "ERROR", "-c", str(AT_ONCE), "--without-gossip", "--without-mingle"]]

    def _send(self) -> Any:
        from of_celery import work  # type: ignore[import-not-found]

        return work.delay(PAYLOAD)

    def _send_and_wait(self) -> None:
        self._send().get(timeout=60)


class Dramatiq(InRedis):
    name, keeps = "Dramatiq", "nothing; of a lone job the result, in Redis's memory"
    _list, _database = "dramatiq:default", 2
    _workers = [[sys.executable, "-m", "dramatiq", "of_dramatiq", "-p", str(AT_ONCE), "-t", "1"]]

    def _send(self) -> None:
        from of_dramatiq import work  # type: ignore[import-not-found]

        work.send(PAYLOAD)

    def _send_and_wait(self) -> None:
        from of_dramatiq import answer

        answer.send(PAYLOAD).get_result(block=True, timeout=60_000)


class Rq(InRedis):
    name, keeps = "RQ", "the job and its result, in Redis's memory"
    _list, _database = "rq:queue:default", 3
    _workers = [[sys.executable, "of_rq.py"]] * AT_ONCE

    def _send(self) -> Any:
        from rq import Queue

        return Queue(connection=self._redis).enqueue("of_rq.work", PAYLOAD)

    def _send_and_wait(self) -> None:
        self._send().latest_result(timeout=60)


class Huey(InRedis):
    name, keeps = "huey", "the result until it is read, in Redis's memory"
    _list, _database = "huey.redis.bench", 4
    _workers = [[sys.executable, "-m", "huey.bin.huey_consumer", "of_huey.huey", "-w", str(AT_ONCE), "-k", "process", "-n"]]

    def _send(self) -> Any:
        from of_huey import work  # type: ignore[import-not-found]

        return work(PAYLOAD)

    def _send_and_wait(self) -> None:
        # It polls: this often, or a tenth of a second would be measured.
        self._send().get(blocking=True, timeout=60, max_delay=0.0002)


class Pool:
    """No queue and no record: what two processes can do at all."""

    name, keeps = "multiprocessing.Pool", "nothing, and a crash loses all"

    def backlog(self, count: int) -> float:
        with multiprocessing.Pool(AT_ONCE) as pool:
            pool.map(len, [PAYLOAD] * AT_ONCE)
            begun = time.monotonic()
            for _ in pool.imap_unordered(len, [PAYLOAD] * count):
                pass
            return count / (time.monotonic() - begun)

    def lone(self, rounds: int) -> List[float]:
        with multiprocessing.Pool(AT_ONCE) as pool:
            return timed(lambda: pool.apply(len, (PAYLOAD,)), rounds)
