#!/usr/bin/env bash
# jest-worker gives the next waiting call to the process that has just been killed, and that call never ends.
#
# Expected: when a process of a jest-worker pool (npm, also used apart from Jest) is killed, as by the kernel for want
#   of memory, the call that it was working on is rejected, a new process is started in its place, and the calls that
#   wait in the queue are done by it and by the others. So does workerpool, and jest-worker says so itself since 2023
#   (pull request 14015, "restart a shut down worker before sending it a task").
# Seen: that holds if no call waits at the moment of the death. If calls wait, the rejection of the one call makes the
#   pool send the next one at once, to the process that is dead, since it is marked as shut down only after that. This
#   call is never rejected, repeated or done, and the place of that process stays taken by it: with two places, two
#   deaths end all work. A `main` that awaits its calls then ends with exit 0 and without having come to its end, as
#   Node has nothing left to wait for. An exit 0 within a call does the same as a kill.
# Why it matters for a supervisor: a worker that spreads its jobs over such a pool loses one more job, without a word,
#   at each death, and after a few stands still, with its frames or heartbeats going on; or it ends as a success with
#   jobs undone. A time limit per job is the only thing that sees it, and the worker must be started anew, not its
#   child.
# Versions: jest-worker 30.5.1, and workerpool 10.0.3 to compare, from npm, Node 20.20, Linux 6.18.
# Source: jest-worker, src/workers/ChildProcessWorker.ts, _onExit (calls _onProcessEnd before _shutdown), src/Farm.ts,
#   _process (its onEnd unlocks the worker and sends it the next task), and src/base/BaseWorkerPool.ts,
#   restartWorkerIfShutDown (asks for the state that is set only afterwards).
# Output seen:
#   workerpool, 2 processes, 1 killed, 10 calls wait: 10 ended, then 6 of 6
#   jest-worker, 2 processes, 1 killed, 0 calls wait: 0 ended, then 6 of 6
#   jest-worker, 2 processes, 1 killed, 10 calls wait: 9 ended, then 6 of 6
#   jest-worker, 2 processes, 2 killed, 10 calls wait: 0 ended, then 0 of 6
#   jest-worker, 1 process exits 0, 10 calls wait: 0 ended, then 0 of 6
#   jest-worker, 1 process killed, the calls awaited: exit 0, not come to its end
set -euo pipefail

for tool in npm node timeout; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" jest-worker@30.5.1 workerpool@10.0.3 \
    >/dev/null 2>&1 || { echo "cannot run: jest-worker 30.5.1 or workerpool 10.0.3 could not be installed"; exit 2; }
echo "jest-worker 30.5.1, workerpool 10.0.3, node $(node --version)"
cd "$folder"

cat >job.cjs <<'JS'
exports.job = async (what) => {
  await new Promise((resolve) => setTimeout(resolve, 200));
  if (what === "kill") process.kill(process.pid, "SIGKILL");
  if (what === "exit") process.exit(0);
  return "done";
};
if (process.argv.includes("workerpool")) require("workerpool").worker(exports);
JS

# main.cjs LIBRARY PLACES WAITING FIRST...: the calls FIRST and WAITING good ones at once, and 6 good ones later.
cat >main.cjs <<'JS'
const [library, places, waiting, ...first] = process.argv.slice(2);
let call;
if (library === "workerpool") {
  const pool = require("workerpool").pool(`${__dirname}/job.cjs`, {
    workerType: "process", maxWorkers: Number(places), forkArgs: ["workerpool"],
  });
  call = (what) => pool.exec("job", [what]);
} else {
  const { Worker } = require("jest-worker");
  const pool = new Worker(`${__dirname}/job.cjs`, { numWorkers: Number(places), exposedMethods: ["job"] });
  call = (what) => pool.job(what);
}
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const start = (number, what) => {
  const seen = { ended: 0 };
  seen.all = Promise.all(Array.from({ length: number }, () => call(what).then(() => { seen.ended += 1; })));
  return seen;
};

const main = async () => {
  const failed = first.map((what) => call(what).then(() => "done", () => "rejected"));
  const queue = start(waiting === "awaited" ? 10 : Number(waiting), "good");
  if (waiting === "awaited") {
    await Promise.all(failed);
    await queue.all;
    console.log("come to its end");
    process.exit(3);
  }
  if ((await Promise.all(failed)).includes("done")) throw new Error("a killed call was done");
  await pause(5000);
  const later = start(6, "good");
  await pause(5000);
  console.log(`${queue.ended} ended, then ${later.ended} of 6`);
  process.exit(0);
};
main();
JS

run() { timeout --signal KILL 40 node main.cjs "$@" || echo "exit $?"; }
status=0
awaited=$(timeout --signal KILL 40 node main.cjs jest-worker 1 awaited kill) || status=$?
seen="workerpool, 2 processes, 1 killed, 10 calls wait: $(run workerpool 2 10 kill)
jest-worker, 2 processes, 1 killed, 0 calls wait: $(run jest-worker 2 0 kill)
jest-worker, 2 processes, 1 killed, 10 calls wait: $(run jest-worker 2 10 kill)
jest-worker, 2 processes, 2 killed, 10 calls wait: $(run jest-worker 2 10 kill kill)
jest-worker, 1 process exits 0, 10 calls wait: $(run jest-worker 1 10 exit)
jest-worker, 1 process killed, the calls awaited: exit $status, ${awaited:-not come to its end}"
echo "$seen"

expected='workerpool, 2 processes, 1 killed, 10 calls wait: 10 ended, then 6 of 6
jest-worker, 2 processes, 1 killed, 0 calls wait: 0 ended, then 6 of 6
jest-worker, 2 processes, 1 killed, 10 calls wait: 9 ended, then 6 of 6
jest-worker, 2 processes, 2 killed, 10 calls wait: 0 ended, then 0 of 6
jest-worker, 1 process exits 0, 10 calls wait: 0 ended, then 0 of 6
jest-worker, 1 process killed, the calls awaited: exit 0, not come to its end'
[ "$seen" = "$expected" ] || { echo "changed: jest-worker treats the calls behind a killed one otherwise"; exit 1; }
echo "as stated"
