#!/usr/bin/env bash
# WAIT behind a BLMOVE that had to wait for its element says "on one replica" while the replica stands still.
#
# Expected: WAIT counts the replicas that have acknowledged all that this connection wrote before it. So `BLMOVE queue
#   taken LEFT RIGHT 0`, then `WAIT 1 500`, tells a claim that a replica has from one that only the master has, and
#   with the replica stopped the answer is 0 after 500 ms.
# Seen: that holds if BLMOVE finds an element at once. If it has blocked first and is served by a later RPUSH of another
#   client, WAIT answers 1 at once: it looks at the offset of the moment at which BLMOVE began to block, and that
#   the replica had long acknowledged. Every blocking command that writes does so, also BLPOP, BZPOPMIN and XREADGROUP.
#   A second WAIT answers 0, and so does the first if any other command, such as PING, stands before it.
# Why it matters for a supervisor: an idle worker blocks, so this is the usual case, not the rare one. The claim is
#   "confirmed by a replica" and the job started; after a failover the replica has the job still in the queue, and it
#   is run a second time. A test on a queue that is already filled never shows it.
# Versions: Redis 7.0.15 (Debian 12), Linux 6.18.
# Source: Redis, src/server.c: processCommand sets the client's `woff` after its call, that is, when it blocks; what
#   serves it later (src/blocked.c, serveClientsBlockedOnListKey and the like) does not set it again. Redis 7.2
#   executes the command anew by processCommand instead.
# Output seen:
#   BLMOVE that found a job, then WAIT: 0, again: 0
#   BLMOVE that waited for it, then WAIT: 1, again: 0
#   BLMOVE that waited for it, then PING and WAIT: 0, again: 0
#   BLPOP that waited for it, then WAIT: 1, again: 0
#   BZPOPMIN that waited for it, then WAIT: 1, again: 0
#   XREADGROUP that waited for it, then WAIT: 1, again: 0
set -euo pipefail

for tool in redis-server redis-cli python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
[[ $(redis-server --version) = *v=7.0.* ]] || { echo "cannot run: this is not Redis 7.0"; exit 2; }
redis-server --version | cut -d ' ' -f 1-3

folder=$(mktemp -d)
master='' replica='' client=''
trap 'for one in $client $replica $master; do kill -KILL "$one" 2>/dev/null || true; done
    wait 2>/dev/null; rm -rf "$folder"' EXIT
read -r port other < <(python3 - <<'PYTHON'
import socket
ends = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(end.getsockname()[1] for end in ends))
PYTHON
)
# Nothing but the commands below moves the offset: the master's own pings are an hour apart.
server() {
    exec redis-server --bind 127.0.0.1 --port "$1" --dir "$folder" --save '' --appendonly no \
        --repl-diskless-sync-delay 0 --repl-ping-replica-period 3600 --repl-timeout 7200 "${@:2}" >>"$folder/log" 2>&1
}
server "$port" & master=$!
ask() { redis-cli -h 127.0.0.1 -p "$port" "$@"; }
for _ in $(seq 100); do [ "$(ask PING 2>/dev/null)" != PONG ] || break; sleep 0.1; done
[ "$(ask PING 2>/dev/null)" = PONG ] || { echo "cannot run: Redis did not start"; exit 2; }
server "$other" --replicaof "127.0.0.1 $port" & replica=$!

# The replica is online and has acknowledged all there is.
settled() {
    local info
    for _ in $(seq 300); do
        info=$(ask INFO replication | tr -d '\r')
        [[ $info != *'state=online,offset='"$(sed -n 's/^master_repl_offset://p' <<<"$info")"',lag='* ]] || return 0
        sleep 0.1
    done
    echo "cannot run: the replica did not follow" >&2
    exit 2
}

# claim WHEN BEFORE_WAIT PUSH COMMAND: what WAIT says behind COMMAND while the replica stands still.
claim() {
    local when=$1 before=$2 push=$3 command=$4 first again
    ask FLUSHALL >/dev/null
    ask XGROUP CREATE stream group 0 MKSTREAM >/dev/null
    settled
    if [ "$when" = "found a job" ]; then kill -STOP "$replica"; ask $push >/dev/null; fi
    printf '%s\n' "$command" ${before:+"$before"} 'WAIT 1 500' 'ECHO again' 'WAIT 1 500' |
        redis-cli -h 127.0.0.1 -p "$port" >"$folder/answers" &
    client=$!
    if [ "$when" = "waited for it" ]; then
        for _ in $(seq 100); do ! ask INFO clients | grep -q '^blocked_clients:1' || break; sleep 0.1; done
        # What the replica says once a second it has said at least once more.
        sleep 1.5
        kill -STOP "$replica"
        ask $push >/dev/null
    fi
    wait "$client" || true
    client=''
    kill -CONT "$replica"
    # The answers of the two WAITs are the lines before "again" and at the end.
    again=$(tail -n 1 "$folder/answers")
    first=$(sed -n '/^again$/q;p' "$folder/answers" | tail -n 1)
    echo "${command%% *} that $when, then ${before:+$before and }WAIT: $first, again: $again"
}

seen=$(
    claim 'found a job' '' 'RPUSH queue job' 'BLMOVE queue taken LEFT RIGHT 20'
    claim 'waited for it' '' 'RPUSH queue job' 'BLMOVE queue taken LEFT RIGHT 20'
    claim 'waited for it' PING 'RPUSH queue job' 'BLMOVE queue taken LEFT RIGHT 20'
    claim 'waited for it' '' 'RPUSH queue job' 'BLPOP queue 20'
    claim 'waited for it' '' 'ZADD order 1 job' 'BZPOPMIN order 20'
    claim 'waited for it' '' 'XADD stream 1-1 job 1' 'XREADGROUP GROUP group me BLOCK 20000 STREAMS stream >'
)
echo "$seen"
expected='BLMOVE that found a job, then WAIT: 0, again: 0
BLMOVE that waited for it, then WAIT: 1, again: 0
BLMOVE that waited for it, then PING and WAIT: 0, again: 0
BLPOP that waited for it, then WAIT: 1, again: 0
BZPOPMIN that waited for it, then WAIT: 1, again: 0
XREADGROUP that waited for it, then WAIT: 1, again: 0'
[ "$seen" = "$expected" ] || { echo "changed: WAIT waits for what a blocked command wrote"; exit 1; }
echo "as stated"
