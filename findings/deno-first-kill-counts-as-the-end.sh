#!/usr/bin/env bash
# In Deno's node:child_process the first child.kill() counts as the child's end: no later one is sent, the exit is lost.
#
# Expected: as in Node, which the module stands in for: child.kill(signal) sends a signal and nothing else. So SIGTERM,
#   and after a grace SIGKILL, ends a child that does not listen; the event `exit` tells what the kernel says of the
#   child's end; and a child that is asked for something, as by SIGUSR1, keeps its stdin.
# Seen: after one signal was sent, every further child.kill() returns false and sends nothing, so the SIGKILL after the
#   grace never comes and the child runs on. When a child ends at last, `exit` reports the first signal sent and no code,
#   whatever happened: (null, SIGTERM) for one that caught it and ended with 0 or 7, (null, SIGUSR1) for one that
#   handled it and went on to its own exit 3, and (null, SIGTERM) also for one that somebody else killed. The first
#   signal, of any kind, closes the child's stdin too. The `timeout` of spawn and an AbortSignal go the same way.
#   process.kill(child.pid, signal) has none of this, nor has Deno.Command. Bun does as Node does.
# Why it matters for a supervisor: one written for Node and run by Deno never gets rid of a worker that ignores SIGTERM,
#   since the step that nobody may ignore is the one left out. A worker that ended well within its grace counts as
#   killed and its work as lost, a clean drain as a failure. A "reload" by SIGHUP takes the worker's stdin away, which
#   for most workers means the end. Send signals by process.kill, and look at the pid, not at the return value.
# Versions: Deno 2.9.6 (@deno/linux-x64-glibc from npm) and Node 20.20 to compare, Linux 6.18.
# Source: Deno, ext/node/polyfills/internal/child_process.ts: `kill` closes stdin, returns at once if `killed` is set, and
#   sets `signalCode`, which the end of the process then prefers to its real status. Issue 36643 and pull request 36644,
#   "allow repeated child process signals", merged after this version.
# Output seen:
#   node, SIGTERM ignored, then SIGKILL: sent true true, the child is gone
#   node, SIGTERM caught, exit 0: 0 null
#   node, SIGUSR1 caught, later exit 3: 3 null
#   node, SIGTERM ignored, later killed by another: null SIGKILL
#   node, the timeout's SIGTERM caught, exit 7: 7 null
#   node, SIGUSR1 caught, stdin afterwards: open
#   node, SIGTERM by process.kill, caught, exit 0: 0 null
#   deno, SIGTERM ignored, then SIGKILL: sent true false, the child runs on
#   deno, SIGTERM caught, exit 0: null SIGTERM
#   deno, SIGUSR1 caught, later exit 3: null SIGUSR1
#   deno, SIGTERM ignored, later killed by another: null SIGTERM
#   deno, the timeout's SIGTERM caught, exit 7: null SIGTERM
#   deno, SIGUSR1 caught, stdin afterwards: closed
#   deno, SIGTERM by process.kill, caught, exit 0: 0 null
set -euo pipefail

for tool in npm node timeout; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "cannot run: this is not Linux on x86-64"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" @deno/linux-x64-glibc@2.9.6 \
    >/dev/null 2>&1 || { echo "cannot run: Deno 2.9.6 could not be installed"; exit 2; }
deno=$folder/node_modules/@deno/linux-x64-glibc/deno
export DENO_DIR=$folder/cache DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
"$deno" --version >/dev/null 2>&1 || { echo "cannot run: Deno does not start here"; exit 2; }
echo "$("$deno" --version | head -n 1 | cut -d ' ' -f 1-2), node $(node --version)"
cd "$folder"

cat >main.mjs <<'JS'
import { spawn } from "node:child_process";
import process from "node:process";

const name = process.argv[2];
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
// A shell that has set its traps when its first line arrives, and that ends by itself in any case.
const start = async (script, options = {}) => {
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"], ...options });
  child.stdin.on("error", () => {});
  child.ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(`${code} ${signal}`)));
  child.lines = "";
  await new Promise((resolve) => child.stdout.on("data", (data) => { child.lines += data; resolve(); }));
  return child;
};
const say = (what, seen) => console.log(`${name}, ${what}: ${seen}`);
const loop = "i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done";

let child = await start(`trap '' TERM; echo up; ${loop}`);
const first = child.kill("SIGTERM");
await pause(300);
const second = child.kill("SIGKILL");
await pause(700);
let there = true;
try { process.kill(child.pid, 0); } catch { there = false; }
say("SIGTERM ignored, then SIGKILL", `sent ${first} ${second}, the child ${there ? "runs on" : "is gone"}`);
if (there) process.kill(child.pid, "SIGKILL");
await child.ended;

child = await start(`trap 'exit 0' TERM; echo up; ${loop}`);
child.kill("SIGTERM");
say("SIGTERM caught, exit 0", await child.ended);

child = await start("trap : USR1; echo up; sleep 0.6; sleep 0.3; exit 3");
child.kill("SIGUSR1");
say("SIGUSR1 caught, later exit 3", await child.ended);

child = await start(`trap '' TERM; echo up; ${loop}`);
child.kill("SIGTERM");
spawn("sh", ["-c", `sleep 0.3; kill -KILL ${child.pid}`], { stdio: "ignore" });
say("SIGTERM ignored, later killed by another", await child.ended);

child = await start(`trap 'exit 7' TERM; echo up; ${loop}`, { timeout: 600 });
say("the timeout's SIGTERM caught, exit 7", await child.ended);

child = await start("trap 'echo caught' USR1; echo up; cat; echo end of stdin");
child.kill("SIGUSR1");
await pause(500);
// cat is a process of its own: it goes on until stdin is at its end.
say("SIGUSR1 caught, stdin afterwards", child.lines.includes("end of stdin") ? "closed" : "open");
child.stdin.destroy();
await child.ended;

child = await start(`trap 'exit 0' TERM; echo up; ${loop}`);
process.kill(child.pid, "SIGTERM");
say("SIGTERM by process.kill, caught, exit 0", await child.ended);
process.exit(0);
JS

seen=$(timeout --signal KILL 40 node main.mjs node || echo "node: exit $?"
    timeout --signal KILL 40 "$deno" run --allow-all --no-config main.mjs deno || echo "deno: exit $?")
echo "$seen"

expected='node, SIGTERM ignored, then SIGKILL: sent true true, the child is gone
node, SIGTERM caught, exit 0: 0 null
node, SIGUSR1 caught, later exit 3: 3 null
node, SIGTERM ignored, later killed by another: null SIGKILL
node, the timeout'\''s SIGTERM caught, exit 7: 7 null
node, SIGUSR1 caught, stdin afterwards: open
node, SIGTERM by process.kill, caught, exit 0: 0 null
deno, SIGTERM ignored, then SIGKILL: sent true false, the child runs on
deno, SIGTERM caught, exit 0: null SIGTERM
deno, SIGUSR1 caught, later exit 3: null SIGUSR1
deno, SIGTERM ignored, later killed by another: null SIGTERM
deno, the timeout'\''s SIGTERM caught, exit 7: null SIGTERM
deno, SIGUSR1 caught, stdin afterwards: closed
deno, SIGTERM by process.kill, caught, exit 0: 0 null'
[ "$seen" = "$expected" ] || { echo "changed: Deno treats a child that was sent a signal otherwise"; exit 1; }
echo "as stated"
