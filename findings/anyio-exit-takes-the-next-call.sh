#!/usr/bin/env bash
# In anyio's pool of processes a call that ends by sys.exit takes the next waiting call with it, somebody else's.
#
# Expected: anyio.to_process keeps its worker processes and gives each to one call after the other. A call that ends
#   with sys.exit fails alone, with SystemExit or an error in its place; the process either stays, as in loky and
#   concurrent.futures, or is replaced before anything else is given to it.
# Seen: the caller gets SystemExit, and the process, which told it so and now ends, goes back among the idle ones as
#   healthy. The call that waits for a place is sent to it at once and fails with BrokenWorkerProcess, though its
#   function was never started; nothing tells it from one that was killed in the middle. A process that is killed
#   outright costs its own call only. With one place and a call waiting each sys.exit costs one call of others.
# Why it matters for a supervisor: what a worker runs for one customer fails what it runs for the next, and the error
#   names the wrong call: the one to be counted, retried or put aside as poisonous is innocent. Command-line programs
#   that are called as a function (argparse, click) end by sys.exit, also when all is well. A process that has said
#   that it ends must not be given more work; a supervisor takes the last word of a worker as final.
# Versions: anyio 4.16.0, and loky 3.7.0 to compare, from PyPI, Python 3.11 with asyncio, Linux 6.18.
# Source: anyio, src/anyio/to_process.py: process_worker (sends a SystemExit as an answer and then raises it), and
#   run_sync (whatever the answer, the process goes back to the idle ones; a process that has not been reaped yet is
#   taken as alive).
# Output seen:
#   loky, exit 0: good, SystemExit, good, good, good, good
#   anyio, killed: good, BrokenWorkerProcess, good, good, good, good
#   anyio, exit 0: good, SystemExit, BrokenWorkerProcess, good, good, good
#   anyio, a command that ends well: good, SystemExit, BrokenWorkerProcess, good, good, good
set -euo pipefail

command -v python3 >/dev/null || { echo "cannot run: python3 is missing"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/packages" anyio==4.16.0 loky==3.7.0 \
    >/dev/null 2>&1 || { echo "cannot run: anyio 4.16.0 or loky 3.7.0 could not be installed"; exit 2; }
echo "anyio 4.16.0, loky 3.7.0, $(python3 --version)"

cat >"$folder/jobs.py" <<'PYTHON'
import argparse
import os
import signal
import sys

def job(what):
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit 0":
        sys.exit(0)
    if what == "a command that ends well":
        argparse.ArgumentParser().parse_args(["--help"])
    return what
PYTHON
cat >"$folder/main.py" <<'PYTHON'
import sys
import anyio
import anyio.to_process
import loky
from jobs import job

def calls(what):
    return ["good", what, "good", "good", "good", "good"]

def show(library, what, told):
    print(f"{library}, {what}: {', '.join(told)}", flush=True)

async def look_at_anyio(what):
    told = {}
    place = anyio.CapacityLimiter(1)

    async def call(number, argument):
        try:
            told[number] = await anyio.to_process.run_sync(job, argument, limiter=place)
        except BaseException as error:
            told[number] = type(error).__name__

    async with anyio.create_task_group() as group:
        for number, argument in enumerate(calls(what)):
            group.start_soon(call, number, argument)
    show("anyio", what, [told[number] for number in sorted(told)])

def outcome(future):
    try:
        return future.result(20)
    except BaseException as error:
        return type(error).__name__

if __name__ == "__main__":
    executor = loky.get_reusable_executor(max_workers=1)
    show("loky", "exit 0", [outcome(future) for future in [executor.submit(job, what) for what in calls("exit 0")]])
    for what in ("killed", "exit 0", "a command that ends well"):
        anyio.run(look_at_anyio, what)
PYTHON

seen=$(PYTHONPATH=$folder/packages:$folder timeout --signal KILL 100 python3 "$folder/main.py" 2>"$folder/log") ||
    { cat "$folder/log"; echo "changed: the pools came to another end"; exit 1; }
echo "$seen"

expected='loky, exit 0: good, SystemExit, good, good, good, good
anyio, killed: good, BrokenWorkerProcess, good, good, good, good
anyio, exit 0: good, SystemExit, BrokenWorkerProcess, good, good, good
anyio, a command that ends well: good, SystemExit, BrokenWorkerProcess, good, good, good'
[ "$seen" = "$expected" ] || { echo "changed: anyio treats a call that exits otherwise"; exit 1; }
echo "as stated"
