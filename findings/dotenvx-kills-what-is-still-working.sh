#!/usr/bin/env bash
# `dotenvx run` passes SIGTERM on a second late, and five seconds after that it kills the program, without a word.
#
# Expected: `dotenvx run -- PROGRAM` reads a file of settings, starts the program and gets out of the way: SIGTERM goes
#   through at once, the program takes the time that it needs to finish its work, and its exit code is dotenvx's. When
#   to lose patience is decided by who sent the signal.
# Seen: the program gets the signal one second later. If it has not ended five seconds after that, it is killed by
#   SIGKILL; dotenvx prints nothing and exits 1, as for a program that failed by itself. A signal to the whole process
#   group, as terminals and supervisors send it, reaches the program at once and then once more, which many programs
#   take as "now, at once", and the kill comes all the same. Neither time can be set, and neither stands in the manual:
#   the five seconds are those of the library that it starts programs with, execa, whose kill() means SIGTERM and later
#   SIGKILL.
# Why it matters for a supervisor: with 30 seconds set for the end of a worker, a worker behind this launcher has five,
#   and the supervisor sees an exit 1 well within its own limit: neither "killed" nor "too slow". The shorter patience
#   of all launchers in between is the one that counts; let the supervisor set the environment itself, and test the end
#   of a worker with a job that takes longer than any launcher's patience.
# Versions: @dotenvx/dotenvx 2.38.2 and @dotenvx/tooling 1.0.6 (with execa 5.1) from npm, Node 20.20, Linux 6.18.
# Source: dotenvx, src/lib/helpers/executeCommand.js (queueSignalForward, FORWARD_SIGNAL_GRACE_MS); execa 5,
#   lib/kill.js (spawnedKill, its forceKillAfterTimeout).
# Output seen:
#   alone, 8 s of work left: told 1 time, work done, exit 0
#   dotenvx, 3 s of work left: told 1 time, work done, exit 0
#   dotenvx, 8 s of work left: told 1 time, work not done, exit 1 after 6 s
#   dotenvx, 8 s of work left, signal to the group: told 2 times, work not done, exit 1 after 6 s
#   what dotenvx printed: nothing
set -euo pipefail

for tool in npm node python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" @dotenvx/dotenvx@2.38.2 \
    @dotenvx/tooling@1.0.6 >/dev/null 2>&1 || { echo "cannot run: dotenvx 2.38.2 could not be installed"; exit 2; }
echo "dotenvx 2.38.2, node $(node --version)"
cd "$folder"
echo 'GREETING=hello' >.env

cat >program.py <<'PYTHON'
import signal
import sys
import time

ends = None

def told(_number, _frame):
    global ends
    ends = ends or time.monotonic() + float(sys.argv[1])
    print("told", flush=True)

signal.signal(signal.SIGTERM, told)
print("started", flush=True)
until = time.monotonic() + 40
while time.monotonic() < until and (ends is None or time.monotonic() < ends):
    time.sleep(0.05)
print("work done", flush=True)
PYTHON

seen=$(python3 - "$folder/node_modules/.bin/dotenvx" <<'PYTHON'
import os
import signal
import subprocess
import sys
import time

def look(what, launcher, seconds, send):
    with open("printed", "a") as printed:
        child = subprocess.Popen([*launcher, sys.executable, "program.py", seconds], stdout=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, stderr=printed, text=True, process_group=0)
    first = child.stdout.readline()
    begin = time.monotonic()
    send(child.pid, signal.SIGTERM)
    lines = child.stdout.read().splitlines()  # to the end of the program, which has this pipe too
    end = child.wait(timeout=60)
    took = round(time.monotonic() - begin)
    times = lines.count("told")
    print(f"{what}, {seconds} s of work left{', signal to the group' if send is os.killpg else ''}:",
          f"told {times} time{'s' * (times != 1)},", "work done," if "work done" in lines else "work not done,",
          f"exit {end}" if end >= 0 else f"death by signal {-end}", end="")
    print(f" after {took} s" if "work done" not in lines else "", flush=True)
    unexpected = [line for line in [first.strip(), *lines] if line not in ("started", "told", "work done")]
    with open("printed", "a") as printed:
        printed.writelines(f"{line}\n" for line in unexpected)

dotenvx = [sys.argv[1], "run", "--quiet", "--"]
look("alone", [], "8", os.kill)
look("dotenvx", dotenvx, "3", os.kill)
look("dotenvx", dotenvx, "8", os.kill)
look("dotenvx", dotenvx, "8", os.killpg)
with open("printed") as printed:
    print("what dotenvx printed:", printed.read().strip() or "nothing")
PYTHON
)
echo "$seen"

expected='alone, 8 s of work left: told 1 time, work done, exit 0
dotenvx, 3 s of work left: told 1 time, work done, exit 0
dotenvx, 8 s of work left: told 1 time, work not done, exit 1 after 6 s
dotenvx, 8 s of work left, signal to the group: told 2 times, work not done, exit 1 after 6 s
what dotenvx printed: nothing'
[ "$seen" = "$expected" ] || { echo "changed: dotenvx ends its program in another way"; exit 1; }
echo "as stated"
