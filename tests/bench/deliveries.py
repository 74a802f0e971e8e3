"""What deliveries to a receiver that is dead cost those who work: executions per second with ten thousand of them due, and with none.

Run by `scripts/bench deliveries` with a private PostgreSQL. Windows with and without take turns in one run. Before each window with
them all are due anew, as after an outage of the receiver; without them their webhook is paused, which is a look into an index less.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import time
from pathlib import Path

from beside import Supervisor, folder_with, in_turns, sql

DUE = """
UPDATE webhook_deliveries SET due_at = clock_timestamp(), attempts = 0, delivered_at = NULL WHERE webhook_id = (SELECT id FROM webhooks);
UPDATE webhooks SET is_paused = false
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supervisor", required=True)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--receiver", choices=["hangs", "refuses"], default="hangs", help="takes connections and never answers, or takes none")
    parser.add_argument("--windows", type=int, default=8, help="of each kind")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=18_440)
    given = parser.parse_args()
    dead = socket.create_server(("127.0.0.1", 0), backlog=4_096)
    url = f"http://127.0.0.1:{dead.getsockname()[1]}/"
    if given.receiver == "refuses":
        dead.close()
    with folder_with() as name:
        folder = Path(name)
        key = subprocess.run([given.supervisor, "secret", "key"], capture_output=True, text=True, check=True).stdout.strip()
        settings = {"min_workers": 4, "max_workers": 4, "webhook_allow_private": "true", "secret_key": key}
        worker = Supervisor(given.supervisor, folder, given.port, **settings)
        try:
            measure(worker, url, given)
        finally:
            worker.stop()


def measure(worker: Supervisor, url: str, given: argparse.Namespace) -> None:
    signing = subprocess.run([given.supervisor, "webhook", "key"], capture_output=True, text=True, check=True).stdout.strip()
    worker.ask("api/secrets/webhook.dead", {"value": signing}, "PUT")
    worker.ask("api/webhooks/dead", {"url": url}, "PUT")
    while worker.count("muster_executions_finished_total") < given.deliveries:
        worker.submit(min(1_000, given.deliveries))
        time.sleep(0.5)
    # What the windows run is told to nobody.
    worker.ask("api/webhooks/dead", {"url": url, "workflows": [], "is_paused": True}, "PUT")
    deliveries = sql("SELECT count(*) FROM webhook_deliveries")[0]
    print(f"{deliveries} deliveries to a receiver that {given.receiver}", flush=True)

    def switch(beside: bool) -> str:
        tried = sql("SELECT coalesce(sum(attempts), 0) FROM webhook_deliveries")[0]
        if beside:
            for statement in DUE.split(";"):
                sql(statement)
        else:
            sql("UPDATE webhooks SET is_paused = true")
        return f", {tried} tries" if beside else ""

    in_turns(worker, switch, given.windows, given.seconds)
    shown = json.loads(worker.ask("api/deliveries?limit=1"))
    print(f"the last one: {shown['deliveries'][0]['last_error']}")


if __name__ == "__main__":
    main()
