#!/usr/bin/env bash
# What pm2 starts, in Python too, has NODE_CHANNEL_FD=3 in its environment, and a Deno that it starts will not run.
#
# Expected: pm2 gives a program in another language ("interpreter": "python3") pipes and some variables about itself. What
#   that program starts, by subprocess with the environment as it is, runs as it does from a shell.
# Seen: pm2 opens a channel for messages of Node to every program, whatever its interpreter, as descriptor 3, and says so in
#   NODE_CHANNEL_FD. Node takes the variable out of its environment when it starts; Python does not know it and passes
#   it on to all that it starts, while descriptor 3 is closed behind it, or is something else by then. Deno, which reads
#   the variable for the sake of Node's programs, then ends with exit 1 before its first line: "Failed to open IPC channel from
#   NODE_CHANNEL_FD (3)". Bun believes in the channel: `process.connected` is true, where it is undefined or false otherwise.
#   Without the variable all is well, also under pm2.
# Why it matters for a supervisor: one that runs under pm2 and is not in JavaScript is such a program. If it lets its environment through
#   to its workers, those in JavaScript do not start, or take descriptor 3 for a channel, which may be a pipe of
#   the supervisor's own. Take NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE out of what children get.
# Versions: pm2 7.0.4, deno 2.9.6, bun 1.4.5 from npm; Node 20.20.2; Python 3.11.
# Source: pm2, lib/God/ForkMode.js: `stdio: ['pipe', 'pipe', 'pipe', 'ipc']` for every interpreter; Deno pull request 32421 ("process managers like
#   PM2"), since which it is an error and no panic; Node's documentation of child_process, options.stdio: "using the IPC channel with a child
#   process that is not a Node.js instance is not supported".
# Output seen:
#   without pm2: NODE_CHANNEL_FD is not set; deno: exit 0, hello; bun: connected: no
#   under pm2: NODE_CHANNEL_FD is 3; deno: exit 1, Failed to open IPC channel from NODE_CHANNEL_FD (3); bun: connected: yes
#   under pm2, taken out: NODE_CHANNEL_FD is not set; deno: exit 0, hello; bun: connected: no
set -euo pipefail

for tool in node npm python3 setsid; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
manager=
trap '[ -z "$manager" ] || kill -KILL -- "-$manager" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --no-update-notifier pm2@7.0.4 deno@2.9.6 bun@1.4.5 >/dev/null 2>&1 ||
    { echo "cannot run: the packages could not be installed"; exit 2; }
bin=$folder/node_modules/.bin
export HOME=$folder PM2_HOME=$folder/pm2 DENO_DIR=$folder/deno DENO_NO_UPDATE_CHECK=1
echo "node $(node --version), pm2 7.0.4, $("$bin/deno" --version | head -n 1), bun $("$bin/bun" --version)"

echo 'console.log("connected:", process.connected ? "yes" : "no"); process.exit(0)' >connected.mjs
cat >program.py <<'PYTHON'
import os
import subprocess
import sys

folder, name, *taken_out = sys.argv[1:]
environment = {key: value for key, value in os.environ.items() if key not in taken_out}

def run(*command):
    end = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    return end.returncode, (end.stdout + end.stderr).strip().split(": fd is")[0]

status, said = run(f"{folder}/node_modules/.bin/deno", "eval", "console.log('hello')")
channel = environment.get("NODE_CHANNEL_FD")
bun = run(f"{folder}/node_modules/.bin/bun", f"{folder}/connected.mjs")[1]
with open(f"{folder}/{name}.new", "w") as file:
    file.write(f"NODE_CHANNEL_FD is {channel or 'not set'}; deno: exit {status}, {said}; bun: {bun}\n")
os.rename(f"{folder}/{name}.new", f"{folder}/{name}")
PYTHON

unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
under_pm2() {
    setsid "$bin/pm2-runtime" --no-autorestart --interpreter "$(command -v python3)" program.py -- "$folder" "$@" >"$folder/log" 2>&1 </dev/null &
    manager=$!
    for _ in $(seq 300); do [ ! -e "$folder/$1" ] || break; sleep 0.1; done
    kill -KILL -- "-$manager" 2>/dev/null || true
    wait "$manager" 2>/dev/null || true
    manager=
    cat "$folder/$1" || { cat "$folder/log"; exit 2; } >&2
}
python3 program.py "$folder" without
{
    echo "without pm2: $(cat without)"
    under_pm2 under | sed 's/^/under pm2: /'
    under_pm2 taken NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE | sed 's/^/under pm2, taken out: /'
} >seen
cat seen
expected='without pm2: NODE_CHANNEL_FD is not set; deno: exit 0, hello; bun: connected: no
under pm2: NODE_CHANNEL_FD is 3; deno: exit 1, Failed to open IPC channel from NODE_CHANNEL_FD (3); bun: connected: yes
under pm2, taken out: NODE_CHANNEL_FD is not set; deno: exit 0, hello; bun: connected: no'
[ "$(cat seen)" = "$expected" ] || { echo "changed: pm2, Deno or Bun treat the channel in another way"; exit 1; }
echo "as stated"
