"""BullMQ, in Node: two worker processes, each with one job at a time."""

from __future__ import annotations

import json
import os
import subprocess
from typing import List

import redis
from in_redis import TASKS, programs, server
from measuring import AT_ONCE, worked_off

_PROGRAM = ["node", "of_bullmq.mjs"]


class BullMq:
    name, keeps = "BullMQ", "the job and its result, in Redis's memory"

    def __init__(self, modules: str) -> None:
        os.environ["BULLMQ_URL"], os.environ["BULLMQ_MODULES"] = server(5), f"{modules}/"
        self._redis = redis.Redis.from_url(server(5))

    def backlog(self, count: int) -> float:
        self._redis.flushdb()
        subprocess.run([*_PROGRAM, "fill", str(count)], cwd=TASKS, check=True)
        with programs(*[[*_PROGRAM, "work"]] * AT_ONCE):
            return worked_off(lambda: int(self._redis.llen("bull:bench:wait")), count)  # type: ignore[arg-type]

    def lone(self, rounds: int) -> List[float]:
        self._redis.flushdb()
        with programs(*[[*_PROGRAM, "work"]] * AT_ONCE):
            done = subprocess.run([*_PROGRAM, "lone", str(rounds)], cwd=TASKS, check=True, capture_output=True, text=True)
        times: List[float] = json.loads(done.stdout)
        return times
