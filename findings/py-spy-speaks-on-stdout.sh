#!/usr/bin/env bash
# `py-spy record -- PROGRAM` writes lines of its own into the program's stdout and exits 0 whatever the program's end.
#
# Expected: like strace, perf and memray, py-spy keeps stdout for the program it runs, speaks on stderr (its profile
#   goes to a file, and stdout is not a terminal), and ends with the program's exit code.
# Seen: its greeting stands at the head of stdout, before the program's first byte; a program that exited with 7 and
#   one that was killed are both reported as 0; SIGTERM to py-spy leaves the program running.
# Why it matters for a supervisor: frames on stdout behind py-spy start with some text, which reads as a frame's length
#   of a thousand million bytes, and a crash under it looks like a good end. Profile a worker from beside it
#   (`py-spy record --pid`), not from in front of it.
# Versions: py-spy 0.4.3 from PyPI, Python 3.11, Linux 6.18. Needs the right to trace a child (root has it).
# Source: py-spy, src/main.rs: the greeting of the record command, and the end of the run function.
# Output seen:
#   exits 7: exit 0, stdout starts with "py-spy>"
#   killed: exit 0, stdout starts with "py-spy>"
#   after SIGTERM to py-spy: the program runs on
set -euo pipefail

command -v python3 >/dev/null || { echo "cannot run: python3 is missing"; exit 2; }
folder=$(mktemp -d)
trap '[ ! -s "$folder/pid" ] || kill -KILL "$(cat "$folder/pid")" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/lib" py-spy==0.4.3 >/dev/null 2>&1 ||
    { echo "cannot run: py-spy 0.4.3 could not be installed"; exit 2; }
spy=$folder/lib/bin/py-spy
"$spy" --version

cat >"$folder/program.py" <<'PYTHON'
import os
import signal
import sys
import time

os.write(1, b"\x00\x00\x00\x02ok")
time.sleep(1)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "waits":
    with open(sys.argv[2], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(30)
sys.exit(7)
PYTHON

seen=''
for end in 'exits 7' killed; do
    status=0
    timeout 60 "$spy" record --format raw --output "$folder/profile" -- \
        "$(python3 -c 'import sys; print(sys.executable)')" "$folder/program.py" "$end" \
        >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    if grep -qi 'permission denied' "$folder/err"; then
        echo "cannot run: no right to trace"
        exit 2
    fi
    seen+="$end: exit $status, stdout starts with \"$(head -c 7 "$folder/out" | tr -d '\0')\""$'\n'
done

"$spy" record --format raw --output "$folder/profile" -- \
    "$(python3 -c 'import sys; print(sys.executable)')" "$folder/program.py" waits "$folder/pid" \
    >/dev/null 2>&1 </dev/null &
launcher=$!
for _ in $(seq 200); do [ ! -s "$folder/pid" ] || break; sleep 0.1; done
[ -s "$folder/pid" ] || { echo "cannot run: the program did not start"; exit 2; }
kill -TERM "$launcher"
wait "$launcher" 2>/dev/null || true
sleep 1
kill -0 "$(cat "$folder/pid")" 2>/dev/null && after='runs on' || after='ended'
seen+="after SIGTERM to py-spy: the program $after"
echo "$seen"

expected='exits 7: exit 0, stdout starts with "py-spy>"
killed: exit 0, stdout starts with "py-spy>"
after SIGTERM to py-spy: the program runs on'
[ "$seen" = "$expected" ] || { echo "changed: py-spy treats stdout, status or SIGTERM in another way"; exit 1; }
echo "as stated"
