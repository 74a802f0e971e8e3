#!/usr/bin/env bash
# A BullMQ worker asks a Redis that is full or read-only again at once, a thousand times a second and more, for ever.
#
# Expected: a worker that cannot fetch a job because its server refuses to write (a replica after a switch-over, a
#   server at its maxmemory) waits a little and asks again, as it does when the server is away; it says so a few times
#   a minute, and works again when the server does.
# Seen: it works again, but in between it asks as fast as the server answers, with one error event for each answer.
#   The pause between attempts (runRetryDelay, 15 s) is kept for lost connections; any answer of the server, a refusal
#   too, sends the worker straight into its next attempt. Only a worker that had found the queue empty is slower. A
#   full server with the policy that BullMQ asks for, noeviction, refuses just as a replica does.
# Why it matters for a supervisor: a server in trouble is the moment when every worker uses a processor, floods its log
#   and keeps the server busy with refused scripts. What a worker writes must be limited by rate, not only by size; and
#   a claim loop waits after every failed claim, whatever the failure, more the longer it lasts.
# Versions: bullmq 6.7.0 and ioredis 6.0.0 from npm, Node 20.20, Redis 7.0 (Debian 12).
# Source: bullmq, src/classes/worker.ts, retryIfFailed (the pause stands in the branch of isNotConnectionError being
#   false) and mainLoop, which calls it again at once.
# Output seen:
#   server away for 5 s: under 100 errors, then the job ran
#   read-only for 5 s: over 1000 errors, then the job ran
#   full for 5 s: over 1000 errors, then the job ran
set -euo pipefail

for tool in npm node redis-server redis-cli; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
server=
worker=
stop() { { kill -KILL "$1"; wait "$1"; } 2>/dev/null || true; }
trap '[ -z "$worker" ] || stop "$worker"; [ -z "$server" ] || stop "$server"; rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" bullmq@6.7.0 ioredis@6.0.0 \
    >/dev/null 2>&1 ||
    { echo "cannot run: bullmq 6.7.0 or ioredis 6.0.0 could not be installed"; exit 2; }
echo "bullmq 6.7.0, ioredis 6.0.0, node $(node --version), $(redis-server --version | cut -d' ' -f1-3)"
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(s.address().port); s.close(); })')
cd "$folder"
ask() { redis-cli -p "$port" "$@"; }
serve() {
    redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' --appendonly yes \
        --maxmemory-policy noeviction >>"$folder/log" 2>&1 &
    server=$!
    for _ in $(seq 100); do [ "$(ask ping 2>/dev/null)" != PONG ] || return 0; sleep 0.1; done
    echo "cannot run: redis-server did not start"
    exit 2
}

cat >"$folder/worker.mjs" <<'JS'
import { Queue, Worker } from "bullmq";

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
if (process.argv[3] === "add") {
  await new Queue("work", { connection }).add("greet", {});
  process.exit(0);
}
new Worker("work", async () => console.log("the job ran"), { connection })
  .on("error", (error) => console.log("error", error.message));
JS

# Starts a worker while a job waits and the server is as the first argument says, and gives it five seconds of that.
trouble() {
    : >"$folder/out"
    node worker.mjs "$port" add
    case $1 in
        away) stop "$server" ;;
        read-only) ask replicaof 127.0.0.1 1 >/dev/null ;;
        full) ask config set maxmemory 1 >/dev/null ;;
    esac
    node worker.mjs "$port" work >"$folder/out" 2>&1 &
    worker=$!
    for _ in $(seq 100); do ! grep -q '^error' out || break; sleep 0.1; done
    sleep 5
    errors=$(grep -c '^error' out || true)
    case $1 in
        away) serve ;;
        read-only) ask replicaof no one >/dev/null ;;
        full) ask config set maxmemory 0 >/dev/null ;;
    esac
    for _ in $(seq 200); do ! grep -q '^the job ran' out || break; sleep 0.1; done
    grep -q '^the job ran' out && after='then the job ran' || after='the job did not run'
    stop "$worker"
    worker=
    echo "# $1: $errors errors" >&2
    [ "$errors" -lt 1000 ] || { echo "over 1000 errors, $after"; return; }
    [ "$errors" -ge 100 ] && echo "$errors errors, $after" || echo "under 100 errors, $after"
}

serve
trouble away >away
trouble read-only >read-only
trouble full >full
seen="server away for 5 s: $(cat away)
read-only for 5 s: $(cat read-only)
full for 5 s: $(cat full)"
echo "$seen"

expected='server away for 5 s: under 100 errors, then the job ran
read-only for 5 s: over 1000 errors, then the job ran
full for 5 s: over 1000 errors, then the job ran'
[ "$seen" = "$expected" ] || { echo "changed: BullMQ asks a refusing server in another way"; exit 1; }
echo "as stated"
