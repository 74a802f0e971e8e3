#!/usr/bin/env bash
# `unshare --fork --kill-child` with --setuid or --setgid leaves its program running when unshare is killed.
#
# Expected: --kill-child does what its manual says: the forked child gets a signal when unshare terminates, with --pid
#   "an easy and reliable killing of the entire process tree below". --setuid and --setgid choose as whom the program
#   runs, and have nothing to do with that.
# Seen: without a change of user the program dies with unshare, and so it does as "root" of a user namespace. With
#   --setuid or --setgid it goes on for ever as an orphan, and with --pid all that it has started in its namespace too.
#   Nothing warns: the option is accepted. The child asks for the signal first and changes its user afterwards, and the
#   kernel withdraws the request of a process whose effective user or group changes. setpriv asks last, so
#   `setpriv --pdeathsig KILL --reuid` keeps its word.
# Why it matters for a supervisor: --kill-child is what makes this launcher usable for workers at all, and --setuid is
#   what one adds for safety; together they leave a worker behind that nobody waits for, holding its locks and its
#   pipes. Whoever sets PR_SET_PDEATHSIG before an exec has it withdrawn by any change of user later on, in whatever
#   launcher; let that launcher ask itself, last, and do not count on the request: kill the group or the cgroup.
# Versions: util-linux 2.38.1-5+deb12u3 (Debian 12), Linux 6.18.
# Source: util-linux, sys-utils/unshare.c, main (prctl(PR_SET_PDEATHSIG) right after the fork, setgid and setuid near
#   the end); Linux, kernel/cred.c, commit_creds.
# Output seen:
#   setpriv --pdeathsig KILL --reuid 65534 --clear-groups: ended with its parent
#   unshare --fork --kill-child: ended with its parent
#   unshare --fork --kill-child --pid: ended with its parent
#   unshare --fork --kill-child --user --map-root-user: ended with its parent
#   unshare --fork --kill-child --setgid 65534: outlived its parent
#   unshare --fork --kill-child --setuid 65534: outlived its parent
#   unshare --fork --kill-child --pid --setgid 65534 --setuid 65534: outlived its parent
set -euo pipefail

for tool in unshare setpriv python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
unshare --fork --pid --setuid 65534 true 2>/dev/null || { echo "cannot run: unshare is not allowed here"; exit 2; }
unshare --user --map-root-user true 2>/dev/null || { echo "cannot run: no user namespaces here"; exit 2; }
unshare --version

seen=$(python3 - <<'PYTHON'
import os
import select
import signal
import subprocess
import sys

# The program holds the pipe that is its stdout as long as it runs, so the end of the pipe is its end.
PROGRAM = ["sh", "-c", "echo started; exec sleep 8"]
# Starts a launcher that has no process of its own between, and stays until it is killed.
PARENT = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]

def look(*launcher):
    own = launcher[0] == "unshare"
    out, into = os.pipe()
    parent = subprocess.Popen([*([] if own else PARENT), *launcher, *PROGRAM], stdout=into, stdin=subprocess.DEVNULL)
    os.close(into)
    with open(out) as output:
        started = output.readline() == "started\n"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        ended = select.select([output], [], [], 3)[0] and output.read() == ""
        print(f"{' '.join(launcher)}:", "did not start" if not started else
              f"{'ended with' if ended else 'outlived'} its parent", flush=True)
        if not ended:
            output.read()  # its own end, after 8 s at most

look("setpriv", "--pdeathsig", "KILL", "--reuid", "65534", "--clear-groups")
look("unshare", "--fork", "--kill-child")
look("unshare", "--fork", "--kill-child", "--pid")
look("unshare", "--fork", "--kill-child", "--user", "--map-root-user")
look("unshare", "--fork", "--kill-child", "--setgid", "65534")
look("unshare", "--fork", "--kill-child", "--setuid", "65534")
look("unshare", "--fork", "--kill-child", "--pid", "--setgid", "65534", "--setuid", "65534")
PYTHON
)
echo "$seen"

expected='setpriv --pdeathsig KILL --reuid 65534 --clear-groups: ended with its parent
unshare --fork --kill-child: ended with its parent
unshare --fork --kill-child --pid: ended with its parent
unshare --fork --kill-child --user --map-root-user: ended with its parent
unshare --fork --kill-child --setgid 65534: outlived its parent
unshare --fork --kill-child --setuid 65534: outlived its parent
unshare --fork --kill-child --pid --setgid 65534 --setuid 65534: outlived its parent'
[ "$seen" = "$expected" ] || { echo "changed: unshare treats its child otherwise"; exit 1; }
echo "as stated"
