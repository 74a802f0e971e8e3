#!/usr/bin/env bash
# `unshare --fork` swallows SIGTERM: it neither ends nor passes it on.
#
# Expected: SIGTERM to `unshare --pid --fork PROGRAM` either ends unshare (and leaves or, with --kill-child, kills
#   the program), or is passed on to the program, as tini, sudo, timeout and `uv run` do.
# Seen: nothing happens at all. The waiting parent ignores SIGINT and SIGTERM, the program behind it never learns of
#   them, and --kill-child, which is about the death of the parent, changes nothing. SIGHUP does end the parent.
# Why it matters for a supervisor: "SIGTERM, a grace period, then SIGKILL" sent to the process it started always takes
#   the whole grace period and ends in a kill of a worker that would have ended politely. Signal the process group
#   instead (the program is in it, and a handler of a namespace's init does run for a signal from outside), or
#   close its stdin.
# Versions: util-linux 2.38.1 (Debian 12), Linux 6.18. Needs root, or user namespaces.
# Source: util-linux, sys-utils/unshare.c, where the parent blocks and ignores signals before it waits.
# Output seen:
#   2 s after SIGTERM to unshare --fork: unshare runs, the program heard nothing
#   2 s after SIGTERM to unshare --fork --kill-child: unshare runs, the program heard nothing
#   after SIGTERM to the group: the program heard SIGTERM, unshare ended with 7
set -euo pipefail

command -v unshare >/dev/null && command -v setsid >/dev/null || { echo "cannot run: util-linux is missing"; exit 2; }
user=()
[ "$(id -u)" = 0 ] || user=(--user --map-root-user)
unshare "${user[@]}" --pid --fork true 2>/dev/null || { echo "cannot run: no namespaces for this user"; exit 2; }
unshare --version

folder=$(mktemp -d)
parent=
trap '[ -z "$parent" ] || kill -KILL -- "-$parent" 2>/dev/null || true; rm -rf "$folder"' EXIT
cat >"$folder/program" <<'SH'
trap 'echo "the program heard SIGTERM" >"$1/heard"; exit 7' TERM
: >"$1/ready"
for _ in $(seq 300); do sleep 0.1; done
SH

# Starts unshare as the leader of a group of its own and waits until the program behind it has its handler.
start() {
    rm -f "$folder/ready" "$folder/heard"
    set -m
    unshare "${user[@]}" --pid --fork "$@" sh "$folder/program" "$folder" &
    parent=$!
    set +m
    for _ in $(seq 100); do [ ! -e "$folder/ready" ] || return 0; sleep 0.1; done
    echo "cannot run: the program did not start"
    exit 2
}

for option in '' --kill-child; do
    start ${option:+"$option"}
    kill -TERM "$parent"
    sleep 2
    kill -0 "$parent" 2>/dev/null || { echo "changed: unshare --fork $option ends at SIGTERM"; exit 1; }
    [ ! -e "$folder/heard" ] || { echo "changed: unshare --fork $option passes SIGTERM on"; exit 1; }
    echo "2 s after SIGTERM to unshare --fork${option:+ $option}: unshare runs, the program heard nothing"
    kill -KILL -- "-$parent"
    wait "$parent" 2>/dev/null || true
done

start
kill -TERM -- "-$parent"
status=0
wait "$parent" || status=$?
parent=
heard=$(cat "$folder/heard" 2>/dev/null || echo "the program heard nothing")
echo "after SIGTERM to the group: $heard, unshare ended with $status"
[ "$heard" = "the program heard SIGTERM" ] && [ "$status" = 7 ] ||
    { echo "changed: SIGTERM to the group has another effect"; exit 1; }
echo "as stated"
