"""Muster itself: with the three servers and with none, and with a worker in Rust or in Python."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any, Dict, List

import pika
import redis
from beside import Supervisor
from measuring import AT_ONCE, PAYLOAD, timed, worked_off

_SDK = Path(__file__).resolve().parents[3] / "worker" / "python"
_WORKFLOW = "from muster_worker import workflow\n\n@workflow\ndef work(text):\n    return len(text)\n"
_SERVERS = ("MUSTER_DATABASE_URL", "MUSTER_AMQP_URL", "MUSTER_REDIS_URL")
_QUEUE = "bench-peers"


class Muster:
    """One supervisor of its own for each measurement."""

    def __init__(self, binary: str, port: int, in_python: bool, with_servers: bool) -> None:
        self._binary, self._port, self._with_servers = binary, port, with_servers
        worker = "Python" if in_python else "Rust"
        self.name = f"Muster, {worker} worker, " + ("three servers" if with_servers else "embedded")
        self.keeps = "row, log and events, committed: " + ("PostgreSQL" if with_servers else "SQLite, fsync")
        self._job = "work" if in_python else "bench.noop"
        self._settings: Dict[str, Any] = {"min_workers": AT_ONCE, "max_workers": AT_ONCE, "log_level": "error"}
        if in_python:
            self._settings["worker_command"] = f"{sys.executable} -m muster_worker"
            self._settings["worker_env"] = f"PYTHONPATH={_SDK}"
        else:
            self._settings["worker_env"] = "MUSTER_CONFORMANCE=1"

    def backlog(self, count: int) -> float:
        if self._with_servers:
            # The queue is made by the first who serves it.
            with self._supervisor():
                pass
            with _Publisher() as publisher:
                for _ in range(count):
                    publisher.send(self._message())
        with self._supervisor() as supervisor:
            if not self._with_servers:
                supervisor.ask("api/pauses/all", {}, "PUT")
                for begin in range(0, count, 5_000):
                    supervisor.ask("api/executions/batch", [self._request()] * min(5_000, count - begin))
                supervisor.ask("api/pauses/all", method="DELETE")
            return worked_off(lambda: count - supervisor.count("muster_executions_finished_total"), count)

    def lone(self, rounds: int) -> List[float]:
        with self._supervisor() as supervisor:
            if not self._with_servers:
                return timed(lambda: supervisor.ask("api/executions?wait=10", self._request()), rounds)
            replies = redis.Redis.from_url(os.environ["MUSTER_REDIS_URL"])
            with _Publisher() as publisher:

                def once() -> None:
                    message = {**self._message(), "sync": True}
                    publisher.send(message)
                    assert replies.blpop([f"muster:result:{message['execution_id']}"], 10) is not None

                return timed(once, rounds)

    def _request(self) -> Dict[str, Any]:
        return {"workflow": self._job, "parameters": {"text": PAYLOAD}}

    def _message(self) -> Dict[str, Any]:
        return {**self._request(), "execution_id": str(uuid.uuid4())}

    def _supervisor(self) -> "_Running":
        return _Running(self._binary, self._port, self._with_servers, {**self._settings, "queue": _QUEUE})


class _Running:
    """A supervisor within a block, with a folder of its own."""

    def __init__(self, binary: str, port: int, with_servers: bool, settings: Dict[str, Any]) -> None:
        self._binary, self._port, self._with_servers, self._settings = binary, port, with_servers, settings

    def __enter__(self) -> Supervisor:
        self._folder = tempfile.TemporaryDirectory(prefix="muster-bench-")
        folder = Path(self._folder.name)
        (folder / "workflows").mkdir()
        (folder / "workflows" / "tasks.py").write_text(_WORKFLOW)
        kept = {name: os.environ.pop(name) for name in _SERVERS if not self._with_servers}
        try:
            self._supervisor = Supervisor(self._binary, folder, self._port, **self._settings)
        finally:
            os.environ.update(kept)
        return self._supervisor

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()
        self._folder.cleanup()


class _Publisher:
    """Publishes without confirms, as the clients of the other systems send."""

    def __enter__(self) -> "_Publisher":
        self._connection = pika.BlockingConnection(pika.URLParameters(os.environ["MUSTER_AMQP_URL"]))
        self._channel = self._connection.channel()
        return self

    def send(self, message: Dict[str, Any]) -> None:
        self._channel.basic_publish("", _QUEUE, json.dumps(message).encode(), pika.BasicProperties(delivery_mode=2))

    def __exit__(self, *_: object) -> None:
        self._connection.close()
