#!/usr/bin/env bash
# A bee-queue worker that is started while Redis is away never works, and ends with exit 0, or stays up and idle.
#
# Expected: a worker that handles its queue's error event keeps trying, started while Redis is away just as when it
#   loses its connection; or it ends with a failure, so that somebody starts it again.
# Seen: started before, it comes back and takes the next job. Started while Redis is away, it reports one error and
#   gives up for good: of a client whose first connection fails bee-queue lets go, though that client would have tried
#   again. Nothing is left that keeps Node running, so the process ends with exit 0. A process that also serves HTTP
#   stays up instead, says nothing more, and takes no job after Redis is back.
# Why it matters for a supervisor: "restart on failure" leaves such a worker down after a start in the wrong second, and
#   with a port open it looks healthy. A worker that was never told to stop has failed, whatever its exit code; and
#   ready must be said by the worker itself, after its first look into the queue.
# Versions: bee-queue 2.0.0 from npm (with redis 3.1.2, as it asks), Node 20.20, Redis 7.0 (Debian 12).
# Source: bee-queue, lib/redis.js, createClient (disconnects at an error before ready), and lib/queue.js, process and
#   connect (what waits for the kept promise reports its refusal as an event and makes no new one).
# Output seen:
#   started before, Redis away for 5 s: the next job ran
#   started while Redis is away: 1 error, exit 0
#   the same, serving HTTP: 1 error, Redis back for 10 s: up, the job did not run
#   started afterwards: the job ran
set -euo pipefail

for tool in npm node redis-server redis-cli; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
server=
worker=
stop() { { kill -KILL "$1"; wait "$1"; } 2>/dev/null || true; }
trap '[ -z "$worker" ] || stop "$worker"; [ -z "$server" ] || stop "$server"; rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" bee-queue@2.0.0 redis@3.1.2 \
    >/dev/null 2>&1 || { echo "cannot run: bee-queue 2.0.0 could not be installed"; exit 2; }
echo "bee-queue 2.0.0, redis 3.1.2, node $(node --version), $(redis-server --version | cut -d' ' -f1-3)"
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(s.address().port); s.close(); })')
cd "$folder"
serve() {
    redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' >>"$folder/log" 2>&1 &
    server=$!
    for _ in $(seq 100); do [ "$(redis-cli -p "$port" ping 2>/dev/null)" != PONG ] || return 0; sleep 0.1; done
    echo "cannot run: redis-server did not start"
    exit 2
}

cat >"$folder/worker.mjs" <<'JS'
import { createServer } from "node:http";
import Queue from "bee-queue";

const queue = new Queue("work", { redis: { host: "127.0.0.1", port: Number(process.argv[2]) } });
queue.on("error", (error) => console.log("error", error.message));
if (process.argv[3] === "add") {
  await queue.createJob({}).save();
  process.exit(0);
}
queue.process(async () => console.log("the job ran"));
if (process.argv[3] === "serve") createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
JS

start() { : >out; node worker.mjs "$port" "$1" >out 2>&1 & worker=$!; }
add() { node worker.mjs "$port" add; }
errors() { echo "$(grep -c '^error' out || true) error"; }
ran() { for _ in $(seq "$1"); do ! grep -q '^the job ran' out || break; sleep 0.1; done
    grep -q '^the job ran' out && echo 'the job ran' || echo 'the job did not run'; }

serve
start work
add
[ "$(ran 100)" = 'the job ran' ] || { echo "changed: a job did not run while Redis was there"; exit 1; }
stop "$server"
sleep 5
serve
: >out
add
seen="started before, Redis away for 5 s: $(ran 200 | sed 's/the job/the next job/')"$'\n'
stop "$worker"

stop "$server"
start work
status=0
for _ in $(seq 100); do kill -0 "$worker" 2>/dev/null || break; sleep 0.1; done
if kill -0 "$worker" 2>/dev/null; then stop "$worker"; status='none, it runs on'; else wait "$worker" || status=$?; fi
seen+="started while Redis is away: $(errors), exit $status"$'\n'

start serve
for _ in $(seq 100); do ! grep -q '^error' out || break; sleep 0.1; done
sleep 2
serve
add
after=$(ran 100)
kill -0 "$worker" 2>/dev/null && up=up || up=ended
seen+="the same, serving HTTP: $(errors), Redis back for 10 s: $up, $after"$'\n'
stop "$worker"

start work
seen+="started afterwards: $(ran 100)"
stop "$worker"
worker=
echo "$seen"

expected='started before, Redis away for 5 s: the next job ran
started while Redis is away: 1 error, exit 0
the same, serving HTTP: 1 error, Redis back for 10 s: up, the job did not run
started afterwards: the job ran'
[ "$seen" = "$expected" ] || { echo "changed: bee-queue starts without Redis in another way"; exit 1; }
echo "as stated"
