#!/usr/bin/env bash
# Hypercorn, when one of its worker processes is killed, stops them all and exits 0; a worker that exits 0 it replaces.
#
# Expected: a server with worker processes starts a new one for one that the kernel has killed for want of memory, as
#   gunicorn and uvicorn do; or it gives up and says so by its exit code, as granian does (exit 1).
# Seen: a worker that is killed, or exits with any code but 0, takes the whole server down: the other workers are told
#   to stop, nothing is logged, and the main process exits 0, as if it had been asked to end. With one worker, which is
#   the default, it is always so. With two it is 0 if the other is still about to end, as nearly always, and 241 if it
#   has just died of the SIGTERM that it was sent: never the code of the one that failed. A worker that exits 0 is
#   replaced at once and the server stays.
# Why it matters for a supervisor: "restart on failure" does not start the server again, since no failure was reported,
#   and one bad request has stopped every other one's server. What was never told to stop and has ended, has failed,
#   whatever its exit code; and a program that starts its own workers needs a look at what it does when one is killed.
# Versions: hypercorn 0.18.0, and uvicorn 0.54.0 and granian 2.8.9 to compare, from PyPI, Python 3.11, Linux 6.18.
# Source: hypercorn, src/hypercorn/run.py, run: the exit code of the first worker that ended otherwise than by 0 ends
#   the loop, but is then replaced by what _join_exited says of those that are left, if any of them has ended by then.
# Output seen:
#   uvicorn, 2 workers, one is killed: the server stays, with 2 workers
#   granian, 2 workers, one is killed: the server ends, exit 1
#   hypercorn, 1 worker, it exits 0: the server stays, with 1 worker
#   hypercorn, 1 worker, it exits 1: the server ends, exit 0
#   hypercorn, 1 worker, it is killed: the server ends, exit 0
#   hypercorn, 2 workers, one is killed: the server ends, exit 0 or 241
#   hypercorn, 2 workers, SIGTERM: the server ends, exit 0
set -euo pipefail

command -v python3 >/dev/null || { echo "cannot run: python3 is missing"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/packages" hypercorn==0.18.0 \
    uvicorn==0.54.0 granian==2.8.9 >/dev/null 2>&1 ||
    { echo "cannot run: hypercorn 0.18.0, uvicorn 0.54.0 or granian 2.8.9 could not be installed"; exit 2; }
echo "hypercorn 0.18.0, uvicorn 0.54.0, granian 2.8.9, $(python3 --version)"
cd "$folder"

cat >app.py <<'PYTHON'
import os
import signal

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["path"] == "/is-killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if scope["path"].startswith("/exits-"):
        os._exit(int(scope["path"].rpartition("-")[2]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
PYTHON
cat >look.py <<'PYTHON'
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

def ask(port, path="/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.read().decode()
    except OSError:
        return ""

def workers(port, wanted):
    """Those that answer, asked until there are as many as wanted."""
    until, seen = time.monotonic() + 20, set()
    while time.monotonic() < until and len(seen) < wanted:
        seen |= {ask(port)} - {""}
        time.sleep(0.02)
    return seen

def look(name, number, event):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", name, "--workers", str(number)]
    command += ["--bind", f"127.0.0.1:{port}"] if name == "hypercorn" else ["--port", port]
    command += ["--interface", "asgi"] if name == "granian" else []
    with open("log", "a") as log:
        server = subprocess.Popen([*command, "app:app"], stdout=log, stderr=log, process_group=0)
    try:
        before = workers(port, number)
        if len(before) < number:
            return "did not start"
        if event == "SIGTERM":
            server.send_signal(signal.SIGTERM)
        else:
            ask(port, f"/{event.replace(' ', '-')}")
        try:
            end = server.wait(5)
            either = number > 1 and name == "hypercorn" and event != "SIGTERM" and end in (0, 241)
            return f"the server ends, exit {'0 or 241' if either else end}"
        except subprocess.TimeoutExpired:
            # One of those that were there before is gone; ask until as many answer, of which one at least is new.
            until = time.monotonic() + 20
            while time.monotonic() < until:
                now = workers(port, number)
                if now - before and len(now) == number:
                    return f"the server stays, with {number} worker{'s' * (number > 1)}"
            return "the server stays, with no new worker"
    finally:
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        server.wait()

for name, number, event in (("uvicorn", 2, "is killed"), ("granian", 2, "is killed"), ("hypercorn", 1, "exits 0"),
                            ("hypercorn", 1, "exits 1"), ("hypercorn", 1, "is killed"), ("hypercorn", 2, "is killed"),
                            ("hypercorn", 2, "SIGTERM")):
    what = event if event == "SIGTERM" else f"{'it' if number == 1 else 'one'} {event}"
    print(f"{name}, {number} worker{'s' * (number > 1)}, {what}: {look(name, number, event)}", flush=True)
PYTHON

seen=$(PYTHONPATH=$folder/packages timeout --signal KILL 110 python3 look.py) || { echo "changed: no end"; exit 1; }
echo "$seen"
if grep -q 'did not start' <<<"$seen"; then tail -5 log; echo "cannot run: a server did not start"; exit 2; fi

expected='uvicorn, 2 workers, one is killed: the server stays, with 2 workers
granian, 2 workers, one is killed: the server ends, exit 1
hypercorn, 1 worker, it exits 0: the server stays, with 1 worker
hypercorn, 1 worker, it exits 1: the server ends, exit 0
hypercorn, 1 worker, it is killed: the server ends, exit 0
hypercorn, 2 workers, one is killed: the server ends, exit 0 or 241
hypercorn, 2 workers, SIGTERM: the server ends, exit 0'
[ "$seen" = "$expected" ] || { echo "changed: a server treats the end of a worker otherwise"; exit 1; }
echo "as stated"
