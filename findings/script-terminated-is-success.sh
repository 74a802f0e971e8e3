#!/usr/bin/env bash
# `script -e`, told to end by SIGTERM, loses its program's last output, kills it after two seconds, and exits 0.
#
# Expected: `script -qec PROGRAM /dev/null`, the usual way to give a program a terminal, ends as its program does:
#   -e is there to "return the exit status of the child process", 128 plus the number for a death by signal. SIGTERM is
#   passed on, and the program has the time that it needs, or gets SIGHUP as its terminal goes away.
# Seen: it is so as long as nobody sends script a signal. After a SIGTERM script passes it on, but reads no more of what
#   the program writes, sleeps two seconds whatever happens, sends SIGKILL and exits 0: for a program that was killed in
#   the middle of its work, for one that was done in time, and for one that ended with 7. It does not wait for the
#   program, so the status that -e asks for stays at its first value. The kill after two seconds is known of su and
#   runuser, and in their manuals; in that of script it is not.
# Why it matters for a supervisor: a worker behind script, so that it writes its lines at once, is a success whenever it
#   was told to end, with its last result neither delivered nor denied, and any limit longer than two seconds is void.
#   An exit 0 after a SIGTERM says nothing; only a complete result frame does. Give a worker a pseudoterminal from the
#   supervisor itself, if it needs one.
# Versions: util-linux 2.38.1-5+deb12u3 (Debian 12, bsdutils), Linux 6.18.
# Source: util-linux, term-utils/script.c, main: what follows the main loop ("all done; cleanup and kill").
# Output seen:
#   program exits 7: exit 7, its last line came
#   program dies of SIGKILL: exit 137
#   SIGTERM, program then needs 0.5 s and exits 7: exit 0 after 2 s, work done, its last line did not come
#   SIGTERM, program then needs 4 s and exits 7: exit 0 after 2 s, work not done, its last line did not come
#   the same without script: exit 7 after 4 s, work done, its last line came
set -euo pipefail

for tool in script python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
case $(script --version) in *util-linux*) script --version ;; *) echo "cannot run: another script"; exit 2 ;; esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >program.py <<'PYTHON'
import os
import signal
import sys
import time

ends = None

def told(_number, _frame):
    global ends
    ends = time.monotonic() + float(sys.argv[1])

signal.signal(signal.SIGTERM, told)
print("started", flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
until = time.monotonic() + 20
while sys.argv[1] != "exit" and time.monotonic() < until and (ends is None or time.monotonic() < ends):
    time.sleep(0.02)
with open("done", "w"):
    pass
try:
    print("the last line", flush=True)
finally:
    os._exit(7)
PYTHON

seen=$(python3 - <<'PYTHON'
import os
import signal
import subprocess
import sys
import time

def look(argument, launcher=("script", "-qec")):
    """The program's end as it is seen, and whether it had done its work and its last line came."""
    if os.path.exists("done"):
        os.remove("done")
    command = [sys.executable, "program.py", argument]
    command = [*launcher, " ".join(command), "/dev/null"] if launcher else command
    # An open stdin: at the end of it script would type an end of file.
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, process_group=0)
    lines = [child.stdout.readline().strip()]
    begin = time.monotonic()
    if argument not in ("exit", "kill"):
        child.send_signal(signal.SIGTERM)
    end = child.wait(timeout=40)
    took = round(time.monotonic() - begin)
    lines += [line.strip() for line in child.stdout]
    child.stdin.close()
    return (f"exit {end}" if end >= 0 else f"death by signal {-end}", took,
            "done" if os.path.exists("done") else "not done", "came" if "the last line" in lines else "did not come")

end, _, _, last = look("exit")
print(f"program exits 7: {end}, its last line {last}")
print(f"program dies of SIGKILL: {look('kill')[0]}")
for need in ("0.5", "4"):
    end, took, work, last = look(need)
    print(f"SIGTERM, program then needs {need} s and exits 7: {end} after {took} s, work {work}, its last line {last}")
end, took, work, last = look("4", launcher=())
print(f"the same without script: {end} after {took} s, work {work}, its last line {last}")
PYTHON
)
echo "$seen"

expected='program exits 7: exit 7, its last line came
program dies of SIGKILL: exit 137
SIGTERM, program then needs 0.5 s and exits 7: exit 0 after 2 s, work done, its last line did not come
SIGTERM, program then needs 4 s and exits 7: exit 0 after 2 s, work not done, its last line did not come
the same without script: exit 7 after 4 s, work done, its last line came'
[ "$seen" = "$expected" ] || { echo "changed: script ends in another way"; exit 1; }
echo "as stated"
