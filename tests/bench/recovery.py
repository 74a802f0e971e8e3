"""How soon work goes on after a supervisor is killed, and after a server is killed and comes back.

Run by `scripts/bench recovery` with a private set of the three servers. Of a killed supervisor: from kill -9 to the moment at which each
execution that it ran is claimed again by the other one on the same host. Of a server: from the moment at which it answers again to the
first execution that starts after it, with a backlog in RabbitMQ all the while.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Callable, Dict, List

import pika

from beside import Supervisor, sql

REPOSITORY = Path(__file__).resolve().parents[2]
PAUSE_MS = 100
QUEUE = "workflow-executions"
# What a worker does for a while without using the processor.
WAITS = f"export default () => new Promise(done => setTimeout(() => done(null), {PAUSE_MS}));\n"
WORKERS = 8
# More than are run in the seconds in which a server is away.
MESSAGES = 1_500
FOUND_AGAIN = """
SELECT extract(epoch FROM min(event.at)) - {killed} FROM executions AS row JOIN execution_events AS event ON event.execution_id = row.id
WHERE row.id IN ({ids}) AND event.event = 'claimed' AND extract(epoch FROM event.at) > {killed} GROUP BY row.id ORDER BY 1
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--services", required=True, help="the name of the set of private servers")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=4, help="of each server")
    parser.add_argument("--port", type=int, default=18_500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        (folder / "workflows").mkdir()
        (folder / "workflows" / "nothing.js").write_text(WAITS)
        running = [start(given, folder, at) for at in (0, 1)]
        try:
            kills(running, given, folder)
            for server, answers in (("postgres", postgres_answers), ("rabbitmq", rabbitmq_answers), ("redis", redis_answers)):
                restarts(server, answers, given)
        finally:
            for one in running:
                one.stop()


def start(given: argparse.Namespace, folder: Path, at: int) -> Supervisor:
    return Supervisor(given.supervisor, folder, given.port + at, min_workers=WORKERS, max_workers=WORKERS)


def kills(running: List[Supervisor], given: argparse.Namespace, folder: Path) -> None:
    took: List[float] = []
    for turn in range(given.kills):
        victim = turn % 2
        running[1 - victim].submit(60)
        waited_for("it has work", lambda: len(held(running[victim])) >= WORKERS // 2)
        ids = held(running[victim])
        killed = time.time()
        os.kill(running[victim].process.pid, signal.SIGKILL)
        running[victim].process.wait()
        waited_for("all has ended", nothing_is_left)
        quoted = ", ".join(f"'{one}'" for one in ids)
        again = [float(one) for one in sql(FOUND_AGAIN.format(killed=killed, ids=quoted))]
        took += again
        print(f"kill {turn + 1}: {len(again)} of {len(ids)} executions were claimed again, after {', '.join(f'{one:.2f}' for one in again)} s", flush=True)
        running[victim] = start(given, folder, victim)
    if not took:
        return
    took.sort()
    print(f"after kill -9: {len(took)} claimed again, p50 {at(took, 50):.2f} s, p99 {at(took, 99):.2f} s, at most {took[-1]:.2f} s", flush=True)


def held(supervisor: Supervisor) -> List[str]:
    """What it runs: its lease stands on these rows."""
    owner = json.loads(supervisor.ask("api/pool"))["supervisor"]
    return sql(f"SELECT id FROM executions WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner = '{owner}'")


def restarts(server: str, answers: Callable[[], bool], given: argparse.Namespace) -> None:
    took: List[float] = []
    meanwhile = 0
    for _ in range(given.restarts):
        publish(MESSAGES)
        time.sleep(1)
        services(given, "kill", server)
        away = time.time()
        time.sleep(3)
        starting = subprocess.Popen(["scripts/services", "--set", given.services, "start", server], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        waited_for(f"{server} answers", answers, every=0.01)
        back = time.time()
        starting.wait()
        first = f"SELECT coalesce(extract(epoch FROM min(started_at)) - {back}, -1) FROM executions WHERE extract(epoch FROM started_at) > {back}"
        waited_for(f"something starts after {server} is back", lambda: sql(first) != ["-1"])
        took.append(float(sql(first)[0]))
        between = f"extract(epoch FROM started_at) BETWEEN {away + 0.5} AND {back}"
        meanwhile += int(sql(f"SELECT count(*) FROM executions WHERE {between}")[0])
        waited_for("all has ended", nothing_is_left)
    took.sort()
    times = ", ".join(f"{one:.2f}" for one in took)
    print(f"{server} answers again: the first execution starts after {times} s; {meanwhile} started while it was away", flush=True)


def services(given: argparse.Namespace, *words: str) -> None:
    subprocess.run(["scripts/services", "--set", given.services, *words], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)


def channel() -> "pika.adapters.blocking_connection.BlockingChannel":
    return pika.BlockingConnection(pika.URLParameters(os.environ["MUSTER_AMQP_URL"])).channel()


def publish(count: int) -> None:
    open_channel = channel()
    for _ in range(count):
        kept = pika.BasicProperties(delivery_mode=2)
        open_channel.basic_publish("", QUEUE, json.dumps({"execution_id": str(uuid.uuid4()), "workflow": "nothing", "parameters": {}}), kept)
    open_channel.connection.close()


def backlog() -> int:
    open_channel = channel()
    count = open_channel.queue_declare(QUEUE, passive=True).method.message_count
    open_channel.connection.close()
    return int(count)


def postgres_answers() -> bool:
    return subprocess.run(["psql", os.environ["MUSTER_DATABASE_URL"], "-qAtXc", "SELECT 1"], capture_output=True).returncode == 0


def rabbitmq_answers() -> bool:
    return spoken("MUSTER_AMQP_URL", b"AMQP\0\0\x09\x01", b"\x01")


def redis_answers() -> bool:
    return spoken("MUSTER_REDIS_URL", b"PING\r\n", b"+PONG")


def spoken(variable: str, said: bytes, expected: bytes) -> bool:
    """Whether a server answers this with what begins so."""
    address = urllib.parse.urlsplit(os.environ[variable])
    try:
        with socket.create_connection((address.hostname or "127.0.0.1", address.port or 0), timeout=1) as connection:
            connection.sendall(said)
            return connection.recv(64).startswith(expected)
    except OSError:
        return False


def waited_for(what: str, holds: Callable[[], bool], every: float = 0.05, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(every)


def nothing_is_left() -> bool:
    return sql("SELECT count(*) FROM executions WHERE status IN ('PENDING', 'RUNNING')") == ["0"] and backlog() == 0


def at(times: List[float], percent: int) -> float:
    return times[min(len(times) - 1, len(times) * percent // 100)]


if __name__ == "__main__":
    main()
