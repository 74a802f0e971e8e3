#!/usr/bin/env bash
# catatonit, the init of `podman run --init`, starts its program with SIGTSTP, SIGTTIN and SIGTTOU blocked.
#
# Expected: a small init blocks signals for itself and gives its program the mask it had itself been started with, as
#   tini and dumb-init do; they are exchangeable.
# Seen: the program behind catatonit has three signals blocked, and so has every descendant, since a mask passes
#   through fork and exec. SIGTSTP sent to it is never delivered; SIGSTOP still stops it, as nothing blocks that.
# Why it matters for a supervisor: a worker's subprocess that touches a terminal from the background gets an error (EIO)
#   where it would have been stopped, in that container only (a shell in between hides it: dash clears its mask).
#   A supervisor that starts workers should set the mask itself and not trust what it was given.
# Versions: catatonit 0.1.7-1+b2, tini 0.19.0-1+b3 and dumb-init 1.2.5-2 (Debian 12), Linux 6.18.
# Source: catatonit, catatonit.c, make_foreground: meant for the init, the three are added to its child's mask.
# Output seen:
#   alone: blocked nothing, stopped by SIGTSTP
#   tini -s --: blocked nothing, stopped by SIGTSTP
#   dumb-init -c: blocked nothing, stopped by SIGTSTP
#   catatonit --: blocked SIGTSTP SIGTTIN SIGTTOU, went on after SIGTSTP
set -euo pipefail

for tool in apt-get dpkg-deb python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in catatonit=0.1.7-1+b2 tini=0.19.0-1+b3 dumb-init=1.2.5-2; do
    apt-get download "$package" >/dev/null 2>&1 || { echo "cannot run: $package could not be fetched"; exit 2; }
done
for file in ./*.deb; do dpkg-deb -x "$file" "$folder/root"; done
PATH=$folder/root/usr/bin:$PATH

seen=$(python3 - <<'PYTHON'
import os
import signal
import subprocess
import sys
import time

# Not a shell: dash clears the mask when it starts.
PROGRAM = """import os, signal, time
print(*sorted(s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])), flush=True)
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGTSTP)
print("went on", flush=True)
time.sleep(30)
"""

def stopped(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"

def look(*launcher):
    # A session in which the group has its starter as a parent outside: an orphaned group would ignore SIGTSTP.
    command = [*launcher, sys.executable, "-c", PROGRAM]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0)
    blocked = child.stdout.readline().strip() or "nothing"
    pid = int(child.stdout.readline())
    end, until = None, time.monotonic() + 20
    os.set_blocking(child.stdout.fileno(), False)
    while end is None and time.monotonic() < until:
        line = child.stdout.readline()
        end = "went on after SIGTSTP" if line else "stopped by SIGTSTP" if stopped(pid) else None
        time.sleep(0.05)
    print(f"{' '.join(launcher) or 'alone'}: blocked {blocked}, {end}")
    for target in (pid, child.pid):
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            pass
    child.wait()

look()
look("tini", "-s", "--")
look("dumb-init", "-c")
look("catatonit", "--")
PYTHON
)
echo "$seen"

expected='alone: blocked nothing, stopped by SIGTSTP
tini -s --: blocked nothing, stopped by SIGTSTP
dumb-init -c: blocked nothing, stopped by SIGTSTP
catatonit --: blocked SIGTSTP SIGTTIN SIGTTOU, went on after SIGTSTP'
[ "$seen" = "$expected" ] || { echo "changed: an init gives its program another signal mask"; exit 1; }
echo "as stated"
