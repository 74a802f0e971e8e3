#!/usr/bin/env bash
# dotenv-cli exits 0, success, when the program behind it was ended by SIGTERM; a SIGKILL it passes on as it was.
#
# Expected: `dotenv -- PROGRAM` (npm's dotenv-cli) ends as its program did: the same exit code, and for a death by
#   signal either that signal or 128 plus its number. A launcher that repeats SIGKILL repeats SIGTERM too.
# Seen: SIGKILL is repeated, SIGTERM becomes exit 0, and so do the other signals that it passes on to its program. It
#   repeats a signal by sending it to itself; for these signals it holds handlers of its own, which catch it and try to
#   pass it to the program that is gone. Then Node has nothing left to do and ends well.
# Why it matters for a supervisor: a worker that a person, a service manager or a memory daemon ended by SIGTERM looks
#   like one that ended by itself in good order. Exit 0 must not be read as "it has done its work": only a complete
#   result frame says that.
# Versions: dotenv-cli 11.0.0 from npm, Node 20.20, Linux 6.18.
# Source: dotenv-cli, cli.js: the exit handler of its child, and the list of signals it forwards.
# Output seen:
#   program exits 7: exit 7
#   program dies of SIGKILL: death by signal 9
#   program dies of SIGTERM: exit 0
#   program dies of SIGHUP: exit 0
set -euo pipefail

for tool in npm node python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" dotenv-cli@11.0.0 >/dev/null 2>&1 ||
    { echo "cannot run: dotenv-cli 11.0.0 could not be installed"; exit 2; }
echo "dotenv-cli 11.0.0, node $(node --version)"

seen=$(cd "$folder" && python3 - "$folder/node_modules/.bin/dotenv" <<'PYTHON'
import subprocess
import sys

def run(what, script):
    end = subprocess.run([sys.argv[1], "--", "sh", "-c", script], stdin=subprocess.DEVNULL, timeout=60).returncode
    print(f"program {what}:", f"exit {end}" if end >= 0 else f"death by signal {-end}")

run("exits 7", "exit 7")
run("dies of SIGKILL", "kill -KILL $$")
run("dies of SIGTERM", "kill -TERM $$")
run("dies of SIGHUP", "kill -HUP $$")
PYTHON
)
echo "$seen"

expected='program exits 7: exit 7
program dies of SIGKILL: death by signal 9
program dies of SIGTERM: exit 0
program dies of SIGHUP: exit 0'
[ "$seen" = "$expected" ] || { echo "changed: dotenv-cli now reports another end"; exit 1; }
echo "as stated"
