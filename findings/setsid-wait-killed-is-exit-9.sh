#!/usr/bin/env bash
# `setsid --wait` reports a killed program as exit 9 or 15, but only when its parent made it a group leader.
#
# Expected: `setsid -w PROGRAM` is a launcher like `env`: a program killed by SIGKILL shows as a death by SIGKILL,
#   or as exit 128+9 the way shells, tini and timeout report it; and the same whoever starts it.
# Seen: started from a script, setsid is no group leader, execs, and the death by signal shows as it is. Started as
#   the leader of a process group, it must fork; then the raw wait status becomes the exit code: SIGKILL reads as
#   "exit 9", SIGTERM as "exit 15", which no caller can tell from a program that exits with 9 or 15. Whether a
#   core was dumped would show too, as 128 more: a SIGSEGV is 11 or 139, as the host's core limit has it.
# Why it matters for a supervisor: supervisors put each worker into a group of its own, so they always get the
#   second form, while whoever tries the command in a shell sees the first. "Killed, perhaps out of memory" and
#   "ended by itself with 9" are different causes. `setsid` without `-w` is worse (exit 0 at once); let the
#   supervisor call setsid(2) itself.
# Versions: util-linux 2.38.1 (Debian 12); Python 3.11 only starts the processes.
# Source: util-linux, sys-utils/setsid.c, the branch that forks and the error exit after its wait.
# Output seen:
#   from a script, SIGKILL: death by signal 9
#   as group leader, SIGKILL: exit 9
#   as group leader, SIGTERM: exit 15
#   as group leader, exit 7: exit 7
set -euo pipefail

for tool in setsid python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
setsid --version

seen=$(python3 - <<'PYTHON'
import os
import subprocess

def run(leader, script):
    """The end of the program, as its starter sees it."""
    before = os.setpgrp if leader else None
    end = subprocess.run(["setsid", "-w", "sh", "-c", script], preexec_fn=before, timeout=30).returncode
    return f"exit {end}" if end >= 0 else f"death by signal {-end}"

print("from a script, SIGKILL:", run(False, "kill -KILL $$"))
print("as group leader, SIGKILL:", run(True, "kill -KILL $$"))
print("as group leader, SIGTERM:", run(True, "kill -TERM $$"))
print("as group leader, exit 7:", run(True, "exit 7"))
PYTHON
)
echo "$seen"

expected='from a script, SIGKILL: death by signal 9
as group leader, SIGKILL: exit 9
as group leader, SIGTERM: exit 15
as group leader, exit 7: exit 7'
[ "$seen" = "$expected" ] || { echo "changed: setsid --wait now reports another end"; exit 1; }
echo "as stated"
