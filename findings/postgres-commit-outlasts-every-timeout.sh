#!/usr/bin/env bash
# No timeout of PostgreSQL bounds a COMMIT that waits for a synchronous standby, and a client that goes leaves it there.
#
# Expected: with synchronous_commit on and the named standby away, a statement waits after its local commit, and the
#   cancel that the manual describes (a WARNING: canceled, committed locally) also comes from statement_timeout, which
#   counts for as long as the client has no answer.
# Seen: the timer of statement_timeout is switched off before the commit begins. lock_timeout and the idle timeouts
#   do not apply, and the check for a lost client is not made in this wait. The session stays "active, SyncRep"
#   for as long as the standby is away, its client gone or not; its row is committed on disk and locked at
#   once, so others neither see the change nor can lock the row. Then pg_cancel_backend makes the change visible.
# Why it matters for a supervisor: `statement_timeout = 30s` on every connection does not bound a claim or a
#   finalization, only a timer of the client does. That timer's "failed" is wrong later: the row turns out to be
#   claimed or finished when the standby is back. Each retry takes another connection of max_connections. And with
#   SKIP LOCKED the queue reads as empty meanwhile: no error anywhere.
# Versions: PostgreSQL 15.20 (Debian 12), Linux 6.18.
# Source: PostgreSQL, src/backend/tcop/postgres.c (finish_xact_command) and src/backend/replication/syncrep.c.
# Output seen:
#   6 s with every timeout at 1 s: active SyncRep
#   4 s after its client was killed: active SyncRep
#   another session's FOR UPDATE SKIP LOCKED meanwhile: no row
#   after pg_cancel_backend: mine
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
client=
trap '[ -z "$client" ] || kill -KILL "$client" 2>/dev/null || true
    as $server -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
as "$bin/initdb" -A trust -U postgres -D "$folder/data" >/dev/null
as $server -l "$folder/log" -o "-k $folder -c listen_addresses='' -c client_connection_check_interval=500" start
export PGHOST=$folder PGUSER=postgres PGDATABASE=postgres

# What looks on does not wait for a standby itself.
look() { PGOPTIONS='-c synchronous_commit=local' psql -XAtqc "$1"; }
look "CREATE TABLE executions (id int PRIMARY KEY, owner text); INSERT INTO executions VALUES (1, 'nobody')"
look "ALTER SYSTEM SET synchronous_standby_names = 'away'"
look "SELECT pg_reload_conf()" >/dev/null
for _ in $(seq 100); do [ "$(look 'SHOW synchronous_standby_names')" != away ] || break; sleep 0.1; done

session() { look "SELECT state || ' ' || wait_event FROM pg_stat_activity WHERE application_name = 'claimer'"; }

PGAPPNAME=claimer PGOPTIONS='-c statement_timeout=1s -c lock_timeout=1s -c idle_session_timeout=1s
    -c idle_in_transaction_session_timeout=1s' \
    psql -Xqc "UPDATE executions SET owner = 'mine' WHERE id = 1" >"$folder/claimer" 2>&1 &
client=$!
sleep 6
waiting=$(session)
echo "6 s with every timeout at 1 s: ${waiting:-gone, $(cat "$folder/claimer")}"

kill -KILL "$client"
wait "$client" 2>/dev/null || true
client=
sleep 4
orphan=$(session)
echo "4 s after its client was killed: ${orphan:-gone}"
row=$(look "SELECT owner FROM executions FOR UPDATE SKIP LOCKED")
echo "another session's FOR UPDATE SKIP LOCKED meanwhile: ${row:-no row}"

look "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'claimer'" >/dev/null
for _ in $(seq 100); do [ -n "$(session)" ] || break; sleep 0.1; done
owner=$(look "SELECT owner FROM executions")
echo "after pg_cancel_backend: $owner"

[ "$waiting" = 'active SyncRep' ] && [ "$orphan" = 'active SyncRep' ] && [ -z "$row" ] && [ "$owner" = mine ] ||
    { echo "changed: something now bounds the wait for a synchronous standby"; exit 1; }
echo "as stated"
