#!/usr/bin/env bash
# Node gives every signal that was ignored for it its default back: `nohup node` dies of SIGHUP, and so does all below it.
#
# Expected: a signal that is ignored stays ignored across exec, which is what nohup, `env --ignore-signal`, `trap ''` and
#   the `&` of a script (SIGINT, SIGQUIT) rest on. A program that sets no handler leaves it so. So `nohup node server.js`
#   does not end when the terminal hangs up, and a Node program in the background of a script not by Ctrl-C.
# Seen: Node sets all signals from 1 to 31 to their defaults when it starts, SIGPIPE and SIGXFSZ apart, and unblocks those
#   that were blocked. What was to be ignored kills it. What it starts gets the defaults as well, so under `nohup npm exec`
#   or `nohup npm run` a program in any language has lost its nohup. Python, the shell and sleep keep what they were
#   given. nohup says "ignoring input", as always.
# Why it matters for a supervisor: ignoring SIGINT before the exec of the workers, so that Ctrl-C reaches only the
#   supervisor, which then drains, works for every worker but those in Node, which die at once with their jobs. The same
#   holds for SIGHUP at a logout and for SIGTERM to a whole group. Give workers a session or a process group of their
#   own, or let a Node worker listen to the signal and do nothing: that is the only way for it to ignore one.
# Versions: Node 20.20 (26.12 does the same), npm 11.19, coreutils 9.1 (Debian 12), Python 3.11, Linux 6.18.
# Source: Node, src/node.cc, PlatformInit ("restore signal dispositions", commit dd47a8c78547, 2015), and for its children
#   libuv, src/unix/process.c, uv__process_child_init (pull request 1376). Neither nohup's manual nor Node's says so.
# Output seen:
#   nohup sleep, SIGHUP: lives on
#   nohup python3, SIGHUP: lives on
#   nohup node, SIGHUP: killed by SIGHUP
#   nohup node that listens to SIGHUP, SIGHUP: lives on
#   nohup sh, the sleep below it, SIGHUP: lives on
#   nohup npm exec, the sleep below it, SIGHUP: killed by SIGHUP
#   env --ignore-signal=TERM python3, SIGTERM: lives on
#   env --ignore-signal=TERM node, SIGTERM: killed by SIGTERM
#   a script's python3 &, SIGINT: lives on
#   a script's node &, SIGINT: killed by SIGINT
set -euo pipefail

for tool in nohup env node npm python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
env --ignore-signal=TERM true 2>/dev/null || { echo "cannot run: env has no --ignore-signal"; exit 2; }
echo "node $(node --version), npm $(npm --version), $(nohup --version | head -n 1)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"name": "finding", "version": "1.0.0"}' >package.json
export npm_config_cache=$folder/cache npm_config_update_notifier=false

seen=$(python3 - <<'PYTHON'
import os
import signal
import subprocess
import time

# Each program says its pid when it is up, and ends by itself. The pipe's end is the end of whoever holds it.
SLEEP = "echo $$; exec sleep 6"
SNAKE = ["python3", "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(6)"]
NODE = ["node", "-e", "console.log(process.pid); setTimeout(() => {}, 6000)"]
LISTENS = ["node", "-e", "process.on('SIGHUP', () => {}); console.log(process.pid); setTimeout(() => {}, 6000)"]
BELOW = "sh -c 'echo $$; exec sleep 6'; echo ended $?"
BACKGROUND = '"$@" & wait $!; status=$?; echo ended $status'

def look(what, number, command):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, start_new_session=True, restore_signals=True)
    pid = int(child.stdout.readline())
    time.sleep(0.3)  # the exec behind that line
    os.kill(pid, number)
    time.sleep(0.7)
    try:
        with open(f"/proc/{pid}/stat") as file:
            lives = file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        lives = False
    if lives:
        seen = "lives on"
        os.kill(pid, signal.SIGKILL)
        child.communicate()
    else:
        # What a shell between says of it (128 and the signal), or the child's own status.
        rest = child.communicate()[0].split()
        status = int(rest[1]) - 128 if rest[:1] == ["ended"] else -child.returncode
        seen = f"killed by {signal.Signals(status).name}" if status > 0 else f"exit {-status}"
    print(f"{what}, {number.name}: {seen}", flush=True)

look("nohup sleep", signal.SIGHUP, ["nohup", "sh", "-c", SLEEP])
look("nohup python3", signal.SIGHUP, ["nohup", *SNAKE])
look("nohup node", signal.SIGHUP, ["nohup", *NODE])
look("nohup node that listens to SIGHUP", signal.SIGHUP, ["nohup", *LISTENS])
look("nohup sh, the sleep below it", signal.SIGHUP, ["nohup", "sh", "-c", BELOW])
look("nohup npm exec, the sleep below it", signal.SIGHUP, ["nohup", "npm", "exec", "-c", BELOW])
look("env --ignore-signal=TERM python3", signal.SIGTERM, ["env", "--ignore-signal=TERM", *SNAKE])
look("env --ignore-signal=TERM node", signal.SIGTERM, ["env", "--ignore-signal=TERM", *NODE])
look("a script's python3 &", signal.SIGINT, ["sh", "-c", BACKGROUND, "sh", *SNAKE])
look("a script's node &", signal.SIGINT, ["sh", "-c", BACKGROUND, "sh", *NODE])
PYTHON
)
echo "$seen"

expected='nohup sleep, SIGHUP: lives on
nohup python3, SIGHUP: lives on
nohup node, SIGHUP: killed by SIGHUP
nohup node that listens to SIGHUP, SIGHUP: lives on
nohup sh, the sleep below it, SIGHUP: lives on
nohup npm exec, the sleep below it, SIGHUP: killed by SIGHUP
env --ignore-signal=TERM python3, SIGTERM: lives on
env --ignore-signal=TERM node, SIGTERM: killed by SIGTERM
a script'\''s python3 &, SIGINT: lives on
a script'\''s node &, SIGINT: killed by SIGINT'
[ "$seen" = "$expected" ] || { echo "changed: Node treats ignored signals otherwise"; exit 1; }
echo "as stated"
