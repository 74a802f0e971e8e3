#!/usr/bin/env bash
# `cpulimit -f -- PROGRAM` exits 0 whatever its program came to, writes into its stdout, and told to end lets it run on.
#
# Expected: `-f` is "run cpulimit in foreground while waiting for launched process to finish", so that it can stand in a job's
#   command as `nice` and `timeout` do: exit 7 is 7, a death by signal shows in some way; SIGTERM goes to the
#   program, or at least says by the exit status that it was not ended by itself.
# Seen: exit 0 for exit 7, for SIGKILL and for SIGTERM of the program. A line "Process N detected" stands in stdout, among what
#   the program writes there. SIGTERM and SIGINT end cpulimit with exit 0 too, at once, while its program runs on,
#   from then on without the limit that it was started with. The option for that, `-s SIGTERM`, "send this signal to the watched process
#   when cpulimit exits", does not help: then cpulimit dies of SIGTERM and sends nothing.
# Why it matters for a supervisor: without control groups of one's own it is the tool to keep a worker to half a
#   processor. Behind it no job has ever failed, a job that was told to end is "done" while it goes on with all of a
#   processor, and whoever speaks over stdout finds a line that is not of the protocol.
# Versions: cpulimit 2.8 (Debian 12); Python 3.11 only starts and looks.
# Source: cpulimit 2.8, cpulimit.c: the handler of SIGCHLD, `waitpid(-1, NULL, WNOHANG)` and then `exit(0)`; `quit`, the handler of SIGINT
#   and SIGTERM, `exit(0)`; `printf("Process %d detected\n", pid)`.
# Output seen:
#   exit 7: exit 0, stdout: a line of cpulimit and the program's
#   SIGKILL: exit 0, stdout: a line of cpulimit and the program's
#   SIGTERM: exit 0, stdout: a line of cpulimit and the program's
#   SIGTERM to cpulimit: exit 0, its program: runs on
#   SIGINT to cpulimit: exit 0, its program: runs on
#   SIGTERM to cpulimit -s SIGTERM: death by signal 15, its program: runs on
set -euo pipefail

for tool in apt-get dpkg-deb python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download cpulimit=2.8-1 >/dev/null 2>&1 || { echo "cannot run: cpulimit 2.8-1 could not be fetched"; exit 2; }
for file in ./cpulimit_*.deb; do dpkg-deb -x "$file" "$folder/root"; done
echo "cpulimit $(dpkg-deb -f ./cpulimit_*.deb Version)"

seen=$(timeout 100 python3 - "$folder/root/usr/bin/cpulimit" <<'PYTHON'
import os
import signal
import subprocess
import sys
import time

def start(script, *options):
    command = [sys.argv[1], "-l", "50", "-f", *options, "--", "sh", "-c", script]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

def end(status):
    return f"exit {status}" if status >= 0 else f"death by signal {-status}"

def program(name, last):
    # It must be there still when cpulimit looks for it.
    process = start(f"echo of the program; sleep 1; {last}")
    lines = process.communicate(timeout=20)[0].splitlines()
    others = [line for line in lines if line != "of the program"]
    of_cpulimit = len(lines) == 2 and others[0].startswith("Process ") and others[0].endswith(" detected")
    print(f"{name}: {end(process.returncode)}, stdout:", "a line of cpulimit and the program's" if of_cpulimit else lines)

def running(number):
    try:
        with open(f"/proc/{number}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False

def told(number, *options):
    process = start("echo $$; exec sleep 60", *options)
    line = process.stdout.readline()
    while line.startswith("Process"):
        line = process.stdout.readline()
    child = int(line)
    time.sleep(1)
    process.send_signal(number)
    status = process.wait(20)
    time.sleep(0.5)
    print(" ".join([f"{number.name} to cpulimit", *options]) + f": {end(status)}, its program:", "runs on" if running(child) else "has ended")
    if running(child):
        os.kill(child, signal.SIGKILL)

program("exit 7", "exit 7")
program("SIGKILL", "kill -KILL $$")
program("SIGTERM", "kill -TERM $$")
told(signal.SIGTERM)
told(signal.SIGINT)
told(signal.SIGTERM, "-s", "SIGTERM")
PYTHON
)
echo "$seen"
expected="exit 7: exit 0, stdout: a line of cpulimit and the program's
SIGKILL: exit 0, stdout: a line of cpulimit and the program's
SIGTERM: exit 0, stdout: a line of cpulimit and the program's
SIGTERM to cpulimit: exit 0, its program: runs on
SIGINT to cpulimit: exit 0, its program: runs on
SIGTERM to cpulimit -s SIGTERM: death by signal 15, its program: runs on"
[ "$seen" = "$expected" ] || { echo "changed: cpulimit tells more than it did"; exit 1; }
echo "as stated"
