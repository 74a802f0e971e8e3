#!/usr/bin/env bash
# env-cmd passes a SIGTERM on and dies of it at once, while the program behind it is still finishing its work.
#
# Expected: `env-cmd -f FILE PROGRAM` (npm) passes SIGTERM on, waits for its program, which may take its time, and ends
#   as that one ends. So do cross-env, dotenvx and `uv run`. A launcher that did not pass the signal on would be the
#   known other case.
# Seen: the program gets the signal and is in its second of tidying up when env-cmd is gone, dead by the same signal.
#   The program's exit code is lost, and the program runs on as an orphan in env-cmd's process group. An end that comes
#   from the program is passed on well, deaths by signal too, so nothing shows until a graceful stop.
# Why it matters for a supervisor: the child that it waits for is gone in some milliseconds, so it starts the next
#   worker, or releases the claim, while the old one still holds its job: two at once, at every deploy. An end is
#   complete only when the pipes of the worker are closed and its process group is empty.
# Versions: env-cmd 11.0.0, and cross-env 10.1.0 to compare, from npm, Node 20.20, Linux 6.18.
# Source: env-cmd, src/signal-termination.ts, handleTermSignals: its terminationFunc sends the signal to the child and
#   then, without waiting, to itself.
# Output seen:
#   cross-env, program exits 5: exit 5
#   cross-env, SIGTERM: exit 5, after the program's end
#   env-cmd, program exits 5: exit 5
#   env-cmd, SIGTERM: death by signal 15, before the program's end
#   env-cmd, SIGINT: death by signal 2, before the program's end
#   env-cmd, SIGHUP: death by signal 1, before the program's end
set -euo pipefail

for tool in npm node python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" env-cmd@11.0.0 cross-env@10.1.0 \
    >/dev/null 2>&1 || { echo "cannot run: env-cmd 11.0.0 or cross-env 10.1.0 could not be installed"; exit 2; }
echo "env-cmd 11.0.0, cross-env 10.1.0, node $(node --version)"
echo 'NAME=value' >"$folder/environment"

# Starts, says "ready", and at the first signal finishes its work for a second, says "finished" and exits with 5.
cat >"$folder/program.js" <<'JS'
const finish = () => setTimeout(() => { console.log("finished"); process.exit(5); }, 1000);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.once(signal, finish);
setTimeout(() => process.exit(9), 20000);
if (process.argv[2] === "exits") process.exit(5);
console.log("ready");
JS

seen=$(cd "$folder" && python3 - <<'PYTHON'
import signal
import subprocess

launchers = {
    "cross-env": (["node_modules/.bin/cross-env", "NAME=value"], [signal.SIGTERM]),
    "env-cmd": (["node_modules/.bin/env-cmd", "-f", "environment"], [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]),
}

def end(status):
    return f"exit {status}" if status >= 0 else f"death by signal {-status}"

for name, (launcher, signals) in launchers.items():
    status = subprocess.run([*launcher, "node", "program.js", "exits"], timeout=30).returncode
    print(f"{name}, program exits 5: {end(status)}")
    for number in signals:
        process = subprocess.Popen([*launcher, "node", "program.js"], stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        try:
            status = process.wait(0.7)
            when = "before"
        except subprocess.TimeoutExpired:
            status = process.wait(30)
            when = "after"
        said = process.stdout.read()  # until the program, too, has closed its end
        whose = "the program's end" if said == b"finished\n" else f"an end of the program with {said!r}"
        print(f"{name}, {number.name}: {end(status)}, {when} {whose}")
PYTHON
)
echo "$seen"

expected="cross-env, program exits 5: exit 5
cross-env, SIGTERM: exit 5, after the program's end
env-cmd, program exits 5: exit 5
env-cmd, SIGTERM: death by signal 15, before the program's end
env-cmd, SIGINT: death by signal 2, before the program's end
env-cmd, SIGHUP: death by signal 1, before the program's end"
[ "$seen" = "$expected" ] || { echo "changed: env-cmd ends in another way"; exit 1; }
echo "as stated"
