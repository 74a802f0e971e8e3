#!/usr/bin/env bash
# One NOTIFY whose commit waits for a standby holds up every NOTIFY of the server, also of who waits for no standby.
#
# Expected: synchronous_commit=off makes a commit independent of the standby, and databases are independent of each
#   other. If a commit with a NOTIFY waits for its synchronous standby, a NOTIFY on another channel of another
#   database by a session with synchronous_commit=off goes through; if it did wait, statement_timeout would end it.
# Seen: it waits, for as long as the first one does. A commit without a NOTIFY goes through. statement_timeout does not
#   end it; lock_timeout, which is about tables and rows, does: COMMIT itself fails with "canceling statement due to
#   lock timeout", and what the transaction had done is rolled back, although nobody touched its rows.
# Why it matters for a supervisor: claims and results that wake others by NOTIFY, directly or by a trigger, all stand in
#   one line through the slowest commit of any tenant of the server. Who has set synchronous_commit=off for the queue
#   and keeps lock_timeout small for its claims gets, when a standby of somebody else is away, finished jobs
#   whose result could not be committed, and a log that speaks of locks that no query on tables explains.
# Versions: PostgreSQL 15.20 (Debian 12), Linux 6.18.
# Source: PostgreSQL, src/backend/commands/async.c, PreCommit_Notify: a lock on "database 0", taken as the commit begins
#   and released when it has ended, after the wait in src/backend/replication/syncrep.c.
# Output seen: while a NOTIFY in one database waits for its standby, another database, synchronous_commit=off:
#   commit without NOTIFY: committed
#   commit with NOTIFY, 4 s later: active Lock object
#   commit with NOTIFY and statement_timeout=1s, 4 s later: active Lock object
#   commit with NOTIFY and lock_timeout=1s: ERROR:  canceling statement due to lock timeout
#   what the last one left: nothing
set -euo pipefail

bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] && command -v psql >/dev/null || { echo "cannot run: PostgreSQL 15 is missing"; exit 2; }
"$bin/postgres" --version

folder=$(mktemp -d)
# PostgreSQL refuses root, so root lends the folder to the user of the Debian package.
as() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    (cd / && exec setpriv --reuid postgres --regid postgres --clear-groups "$@")
}
[ "$(id -u)" != 0 ] || chown postgres "$folder"
server="$bin/pg_ctl -s -w -D $folder/data"
clients=()
trap 'for client in "${clients[@]}"; do kill -KILL "$client" 2>/dev/null || true; done
    as $server -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
as "$bin/initdb" -A trust -U postgres -D "$folder/data" >/dev/null
as $server -l "$folder/log" -o "-k $folder -c listen_addresses=''" start
export PGHOST=$folder PGUSER=postgres PGDATABASE=queue

# Everybody but the first one waits for no standby.
export PGOPTIONS='-c synchronous_commit=off'
look() { psql -XAtqc "$1"; }
PGDATABASE=postgres look "CREATE DATABASE queue"
look "CREATE TABLE results (job text)"
look "ALTER SYSTEM SET synchronous_standby_names = 'away'"
look "SELECT pg_reload_conf()" >/dev/null
for _ in $(seq 100); do [ "$(look 'SHOW synchronous_standby_names')" != away ] || break; sleep 0.1; done

session() {
    look "SELECT concat_ws(' ', state, wait_event_type, wait_event) FROM pg_stat_activity WHERE application_name = '$1'"
}
# commit NAME OPTIONS STATEMENTS: in a transaction of its own, in the background.
commit() {
    PGAPPNAME=$1 PGOPTIONS="$PGOPTIONS $2" psql -XAtqc "BEGIN" -c "INSERT INTO results VALUES ('$1')" -c "$3" \
        -c "COMMIT" -c "SELECT 'committed'" >"$folder/$1" 2>&1 &
    clients+=($!)
}

PGDATABASE=postgres PGAPPNAME=first PGOPTIONS='' psql -Xqc "CREATE TABLE changed (); NOTIFY theirs" >/dev/null 2>&1 &
clients+=($!)
for _ in $(seq 100); do [ "$(session first)" != 'active IPC SyncRep' ] || break; sleep 0.1; done
[ "$(session first)" = 'active IPC SyncRep' ] || { echo "cannot run: the first NOTIFY does not wait"; exit 2; }

commit plain '' 'SELECT'
commit waiting '' 'NOTIFY ours'
commit limited '-c statement_timeout=1s' 'NOTIFY ours'
commit locked '-c lock_timeout=1s' 'NOTIFY ours'
sleep 4
seen="commit without NOTIFY: $(tail -n 1 "$folder/plain")
commit with NOTIFY, 4 s later: $(session waiting)
commit with NOTIFY and statement_timeout=1s, 4 s later: $(session limited)
commit with NOTIFY and lock_timeout=1s: $(grep -m 1 ERROR "$folder/locked")
what the last one left: $(look "SELECT coalesce(max(job), 'nothing') FROM results WHERE job = 'locked'")"
echo "$seen"
expected='commit without NOTIFY: committed
commit with NOTIFY, 4 s later: active Lock object
commit with NOTIFY and statement_timeout=1s, 4 s later: active Lock object
commit with NOTIFY and lock_timeout=1s: ERROR:  canceling statement due to lock timeout
what the last one left: nothing'
[ "$seen" = "$expected" ] || { echo "changed: NOTIFY no longer waits for the commit of another"; exit 1; }
echo "as stated"
