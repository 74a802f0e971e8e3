#!/usr/bin/env bash
# Hypercorn stops serving when one of its workers dies, and then exits 0.
#
# Expected: a server with several workers starts a new one in the place of one that was killed, as gunicorn and uvicorn
#   do; or it stops the others and ends with a failure, as granian does, so that somebody starts it again. That a failed
#   worker makes hypercorn's own exit code a failure was asked for in its pull request 173, and merged.
# Seen: it stops the others and exits 0, and writes no line about it, whether the worker was killed or exited by itself
#   with 3, with one worker and with two. A start at which the application fails is exit 0, too. run() has the exit code
#   of the worker in hand; then it sends SIGTERM to the others and overwrites the code with that of those which have
#   ended by then, as a rule none of them.
# Why it matters for a supervisor: "restart on failure" leaves the server down after the kernel has killed one of its
#   workers for want of memory, and a start that failed counts as a run that is done. For a process that
#   should live long, exit 0 without having been told to stop is a failure.
# Versions: hypercorn 0.18.0, and granian 2.8.9 to compare, from PyPI, Python 3.11, Linux 6.18.
# Source: hypercorn, src/hypercorn/run.py, run ("exitcode = _join_exited(processes) if exitcode != 0 else exitcode",
#   behind the terminate() of all that are left) and _join_exited (looks only at those that have ended). Its issue 269
#   has the same for a syntax error under --reload.
# Output seen:
#   granian, 2 workers, one is killed: exit 1
#   hypercorn, 2 workers, SIGTERM to itself: exit 0
#   hypercorn, 2 workers, one is killed: exit 0
#   hypercorn, 2 workers, one exits 3: exit 0
#   hypercorn, 1 worker, it is killed: exit 0
#   hypercorn, 1 worker, its application cannot start: exit 0
set -euo pipefail

command -v python3 >/dev/null || { echo "cannot run: python3 is missing"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/lib" hypercorn==0.18.0 granian==2.8.9 \
    >/dev/null 2>&1 || { echo "cannot run: hypercorn 0.18.0 or granian 2.8.9 could not be installed"; exit 2; }
echo "hypercorn 0.18.0, granian 2.8.9, $(python3 --version)"

cat >"$folder/application.py" <<'PYTHON'
import os
import signal

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if "FAIL" in os.environ:
                await send({"type": "lifespan.startup.failed", "message": "no database"})
                return
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if scope["path"] == "/exit":
        os._exit(3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})
PYTHON

seen=$(cd "$folder" && PYTHONPATH=$folder/lib python3 - <<'PYTHON'
import http.client
import os
import signal
import socket
import subprocess
import sys
import time

def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read() == b"served"
    except OSError:
        return False
    finally:
        connection.close()

def trial(name, workers, what, path):
    with socket.create_server(("127.0.0.1", 0)) as end:
        port = end.getsockname()[1]
    options = {
        "hypercorn": ["--bind", f"127.0.0.1:{port}"],
        "granian": ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)],
    }
    environment = {**os.environ, **({"FAIL": "1"} if path == "FAIL" else {})}
    command = [sys.executable, "-m", name, *options[name], "--workers", str(workers), "application:application"]
    with open("log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        if path != "FAIL":
            until = time.monotonic() + 20
            while not ask(port, "/"):
                assert time.monotonic() < until and server.poll() is None, f"{name} did not start"
                time.sleep(0.1)
            time.sleep(1)  # the second worker, too, has started
            if path:
                ask(port, path)
            else:
                server.send_signal(signal.SIGTERM)
        try:
            end = f"exit {server.wait(15)}"
        except subprocess.TimeoutExpired:
            end = "runs on, " + ("serving" if ask(port, "/") else "not serving")
    finally:
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        server.wait()
    print(f"{name}, {workers} worker{'s' if workers > 1 else ''}, {what}: {end}", flush=True)

trial("granian", 2, "one is killed", "/kill")
trial("hypercorn", 2, "SIGTERM to itself", "")
trial("hypercorn", 2, "one is killed", "/kill")
trial("hypercorn", 2, "one exits 3", "/exit")
trial("hypercorn", 1, "it is killed", "/kill")
trial("hypercorn", 1, "its application cannot start", "FAIL")
PYTHON
)
echo "$seen"

expected='granian, 2 workers, one is killed: exit 1
hypercorn, 2 workers, SIGTERM to itself: exit 0
hypercorn, 2 workers, one is killed: exit 0
hypercorn, 2 workers, one exits 3: exit 0
hypercorn, 1 worker, it is killed: exit 0
hypercorn, 1 worker, its application cannot start: exit 0'
[ "$seen" = "$expected" ] || { echo "changed: hypercorn ends in another way"; exit 1; }
echo "as stated"
