#!/usr/bin/env bash
# Behind `pnpm exec` and `pnpm run` a program is killed by a SIGUSR1 that it handles, and a SIGSTOP does not stop it.
#
# Expected: a signal to the process group that a supervisor has made reaches every process in it, so the program too,
#   as it does behind npm, yarn, bun and uv. A launcher that keeps its program in a group of its own passes signals on,
#   those that programs use for their own purposes among them.
# Seen: without a terminal pnpm puts its program into another process group, and passes on SIGTERM, SIGINT and SIGHUP.
#   SIGUSR1, SIGUSR2 and SIGQUIT, which the program handles, end pnpm, and a watchdog of pnpm's then kills the program,
#   by SIGKILL and with all its children: it has seen no signal at all. SIGSTOP and SIGTSTP stop pnpm alone, while the
#   program works on. The same signals to the pnpm process alone do the same. With a terminal, where one tries it, the
#   program is in pnpm's group and gets SIGUSR1.
# Why it matters for a supervisor: "reopen your log", "write a heap snapshot", "finish what you have" by SIGUSR1 or
#   SIGUSR2 becomes a kill in the middle of a job, and a worker that was paused by SIGSTOP goes on using its processor
#   and its leases. A process group is not sure to be inherited: pause and kill by cgroup, and say things to a worker by
#   a frame and not by a signal.
# Versions: pnpm 12.21.0 from npm, Node 20.20, Linux 6.18.
# Source: pnpm, pull requests 15119 and 15121 (a group of its own for a script without a terminal, the relayed signals)
#   and its changelog on the watchdog ("now ends every script's process group if pnpm is killed").
# Output seen:
#   alone, SIGTERM: handled | SIGUSR1: handled | SIGUSR2: handled | SIGQUIT: handled | SIGSTOP: stopped
#   pnpm exec, SIGTERM: handled | SIGUSR1: killed | SIGUSR2: killed | SIGQUIT: killed | SIGSTOP: works on
#   pnpm run, SIGTERM: handled | SIGUSR1: killed | SIGUSR2: killed | SIGQUIT: killed | SIGSTOP: works on
#   pnpm exec on a terminal, SIGUSR1: handled
set -euo pipefail

for tool in npm node python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder/packages" pnpm@12.21.0 >/dev/null 2>&1 ||
    { echo "cannot run: pnpm 12.21.0 could not be installed"; exit 2; }
mkdir "$folder/project"
cd "$folder/project"
echo '{"name": "worker", "version": "1.0.0", "license": "MIT", "scripts": {"work": "python3 program.py"}}' >package.json
# The package's install script, which is not run here, would only put this file into the place of bin/pnpm.
pnpm=$(echo "$folder"/packages/node_modules/@pnpm/exe.*/pnpm)
[ "$("$pnpm" --version 2>/dev/null)" = 12.21.0 ] || { echo "cannot run: pnpm 12.21.0 has no program for here"; exit 2; }
echo "pnpm 12.21.0, node $(node --version)"

cat >program.py <<'PYTHON'
import os
import signal
import time

for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"):
    signal.signal(getattr(signal, name), lambda number, _frame: print("handled", number, flush=True))
print("pid", os.getpid(), flush=True)
until = time.monotonic() + 20
while time.monotonic() < until:
    time.sleep(0.1)
    print("works", flush=True)
PYTHON
cat >look.py <<'PYTHON'
import os
import pty
import select
import signal
import subprocess
import sys
import time

def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"

class Lines:
    """The lines of the program, each taken when it is there."""

    def __init__(self, file):
        self.file, self.rest = file, b""

    def next(self, seconds):
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            if not select.select([self.file], [], [], max(0, until - time.monotonic()))[0]:
                return None
            try:
                more = os.read(self.file, 4096)
            except OSError:  # a terminal whose other side has gone
                more = b""
            if not more:
                return ""
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode().strip()

def look(command, name, terminal=False):
    number = getattr(signal, name)
    out, into = pty.openpty() if terminal else os.pipe()
    with open("log", "ab") as log:
        child = subprocess.Popen(command, stdin=into if terminal else subprocess.DEVNULL, stdout=into, stderr=log,
                                 start_new_session=True, preexec_fn=None if not terminal else take_terminal)
    os.close(into)
    lines, pid = Lines(out), 0
    try:
        while not pid:
            line = lines.next(20)
            if not line:
                return "did not start"
            pid = int(line.split()[1]) if line.startswith("pid ") else 0
        os.killpg(child.pid, number)
        until, works = time.monotonic() + 8, 0
        while time.monotonic() < until:
            line = lines.next(1)
            if line and line.startswith("handled"):
                return "handled"
            if line == "" or state(pid) in ("gone", "Z"):
                return "killed"
            if line is None and state(pid) == "T":
                return "stopped"
            works += line == "works"
            if works > 20:  # two seconds of work since the signal
                return "works on"
        return "nothing of it all"
    finally:
        for group in {child.pid, os.getpgid(pid) if pid and state(pid) != "gone" else child.pid}:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
        child.wait()
        os.close(out)

def take_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

pnpm = sys.argv[1]
names = ("SIGTERM", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGSTOP")
for what, command in (("alone", ["python3", "program.py"]), ("pnpm exec", [pnpm, "exec", "python3", "program.py"]),
                      ("pnpm run", [pnpm, "--silent", "run", "work"])):
    print(f"{what}, " + " | ".join(f"{name}: {look(command, name)}" for name in names), flush=True)
print("pnpm exec on a terminal, SIGUSR1:", look([pnpm, "exec", "python3", "program.py"], "SIGUSR1", terminal=True))
PYTHON

seen=$(timeout --signal KILL 110 python3 look.py "$pnpm") ||
    { echo "changed: no end"; exit 1; }
echo "$seen"
if grep -q 'did not start' <<<"$seen"; then tail -5 log; echo "cannot run: pnpm did not start the program"; exit 2; fi

expected='alone, SIGTERM: handled | SIGUSR1: handled | SIGUSR2: handled | SIGQUIT: handled | SIGSTOP: stopped
pnpm exec, SIGTERM: handled | SIGUSR1: killed | SIGUSR2: killed | SIGQUIT: killed | SIGSTOP: works on
pnpm run, SIGTERM: handled | SIGUSR1: killed | SIGUSR2: killed | SIGQUIT: killed | SIGSTOP: works on
pnpm exec on a terminal, SIGUSR1: handled'
[ "$seen" = "$expected" ] || { echo "changed: pnpm treats signals otherwise"; exit 1; }
echo "as stated"
