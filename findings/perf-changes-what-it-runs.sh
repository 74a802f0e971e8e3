#!/usr/bin/env bash
# `perf record` runs its program with SIGUSR2 ignored, `perf stat` says exit 0 when it was killed, and both set PREFIX=/usr.
#
# Expected: perf is made to look on: `perf stat -- PROGRAM` and `perf record -- PROGRAM` give the program what `env` would
#   give it, and end as it ends. So a worker or a build may stand behind it for a day.
# Seen: three things are different, and the manual pages say none of them.
#   - `perf record` leaves SIGUSR2 ignored, in the program and all that it starts, unless it handles that itself: it is the signal for
#     `--switch-output`, and is ignored where that was not asked for. What waits for SIGUSR2 to end or to go on is deaf.
#   - `perf stat` passes an exit status on, but of a program that was killed it says exit 0. `perf record` dies of the
#     same signal, `perf trace` exits with 0 whatever its program came to.
#   - All three set PREFIX=/usr, whatever it was, and put /usr/lib/perf-core first in PATH. A Makefile with `PREFIX ?= /usr/local`
#     installs into /usr behind them.
# Why it matters for a supervisor: to have a worker measured one writes perf before its command. Then the end that tells of
#   too little memory, SIGKILL, is a success for whoever judges by the launcher's status, and signals and folders of
#   what the worker starts are not those of production.
# Versions: linux-perf 6.1.192 (Debian 12), Linux 6.18; Python 3.11 only starts and looks.
# Source: Linux, tools/perf/builtin-record.c: `signal(SIGUSR2, SIG_IGN)`; builtin-stat.c, __run_perf_stat: WEXITSTATUS also of
#   a status that WIFSIGNALED; tools/lib/subcmd/exec-cmd.c: exec_cmd_init, setenv("PREFIX", ...) and setup_path.
# Output seen:
#   env: signals ignored: none, PREFIX=mine, PATH is the caller's: True; exit 7: exit 7; SIGKILL: death by signal 9
#   perf stat: signals ignored: none, PREFIX=/usr, PATH is the caller's: False; exit 7: exit 7; SIGKILL: exit 0
#   perf record: signals ignored: SIGUSR2, PREFIX=/usr, PATH is the caller's: False; exit 7: exit 7; SIGKILL: death by signal 9
#   perf trace: signals ignored: none, PREFIX=/usr, PATH is the caller's: False; exit 7: exit 0; SIGKILL: exit 0
set -euo pipefail

for tool in perf python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
perf --version
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
perf stat -e task-clock -o "$folder/first" true 2>/dev/null || { echo "cannot run: perf may not count here"; exit 2; }

cat >"$folder/look.py" <<'PYTHON'
import os
import signal

with open("/proc/self/status") as lines:
    mask = int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)
# Python itself ignores SIGPIPE and SIGXFSZ.
own = {signal.SIGPIPE, signal.SIGXFSZ}
ignored = [signal.Signals(n).name for n in range(1, 32) if mask >> (n - 1) & 1 and n not in own]
print("signals ignored:", (" ".join(ignored) or "none") + ", PREFIX=" + os.environ.get("PREFIX", "") +
      ", PATH is the caller's:", os.environ["PATH"] == os.environ["CALLERS_PATH"])
PYTHON
seen=$(cd "$folder" && python3 - <<'PYTHON'
import os
import signal
import subprocess
import sys

environment = os.environ | {"PREFIX": "mine", "CALLERS_PATH": os.environ["PATH"]}
launchers = {
    "env": ["env"],
    "perf stat": ["perf", "stat", "-e", "task-clock", "-o", "stat.out", "--"],
    "perf record": ["perf", "record", "-q", "-e", "task-clock", "-o", "record.out", "--"],
    "perf trace": ["perf", "trace", "-e", "exit_group", "-o", "trace.out", "--"],
}

def run(launcher, *program):
    return subprocess.run([*launcher, *program], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

def end(launcher, script):
    status = run(launcher, "sh", "-c", script).returncode
    return f"exit {status}" if status >= 0 else f"death by signal {-status}"

# What this script's own caller may have ignored is none of perf's doing.
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
for name, launcher in launchers.items():
    looked = run(launcher, sys.executable, "look.py").stdout.decode().strip()
    print(f"{name}: {looked}; exit 7: {end(launcher, 'exit 7')}; SIGKILL: {end(launcher, 'kill -KILL $$')}")
PYTHON
)
echo "$seen"
expected="env: signals ignored: none, PREFIX=mine, PATH is the caller's: True; exit 7: exit 7; SIGKILL: death by signal 9
perf stat: signals ignored: none, PREFIX=/usr, PATH is the caller's: False; exit 7: exit 7; SIGKILL: exit 0
perf record: signals ignored: SIGUSR2, PREFIX=/usr, PATH is the caller's: False; exit 7: exit 7; SIGKILL: death by signal 9
perf trace: signals ignored: none, PREFIX=/usr, PATH is the caller's: False; exit 7: exit 0; SIGKILL: exit 0"
[ "$seen" = "$expected" ] || { echo "changed: perf runs its program in another way"; exit 1; }
echo "as stated"
