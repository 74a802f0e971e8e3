#!/usr/bin/env bash
# A session that found no such table goes on finding none by to_regclass after it has waited for the lock of its maker.
#
# Expected: READ COMMITTED gives each statement a fresh snapshot. So whoever waits for an advisory lock under which
#   another session makes a table, as tools that migrate a schema do, sees the table as soon as the lock is theirs:
#   `SELECT to_regclass('versions')` is not null.
# Seen: null, and in the same transaction a look into pg_class finds the table, after which to_regclass does, too. The
#   function answers from the session's cache of names, which also keeps what was not there. The cache hears of changes
#   when a transaction begins or a relation is locked, and neither happens between the wait and the answer. A session that
#   had not asked before the wait gets the right answer.
# Why it matters for a supervisor: several start at once on an empty database. The one that looks for its table of
#   versions before it waits for the others takes the schema for missing when its turn comes, makes it once more, and
#   ends with "relation already exists".
# Versions: PostgreSQL 15.20 (Debian 12), Linux 6.18.
# Source: PostgreSQL, src/backend/catalog/namespace.c (RangeVarGetRelidExtended with NoLock) and
#   src/backend/storage/lmgr/lmgr.c (LockRelationOid takes in what has changed; advisory locks do not).
# Output seen:
#   asked before the wait: function: nothing catalog: versions again: versions
#   not asked before the wait: function: versions catalog: versions again: versions
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
trap 'as $server -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
as "$bin/initdb" -A trust -U postgres -D "$folder/data" >/dev/null
as $server -l "$folder/log" -o "-k $folder -c listen_addresses=''" start
export PGHOST=$folder PGUSER=postgres PGDATABASE=postgres

query() { psql -XAtqc "$1"; }
waits() { query "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"; }

# second ASKS_FIRST: what a session sees that waits while another one makes the table.
second() {
    local maker waiter first=''
    query "DROP TABLE IF EXISTS versions" 2>/dev/null
    mkfifo "$folder/maker"
    psql -XAtq <"$folder/maker" >/dev/null &
    maker=$!
    exec 3>"$folder/maker"
    echo "BEGIN; SELECT pg_advisory_xact_lock(1); CREATE TABLE versions (version int);" >&3
    until [ "$(query "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")" = 1 ]; do sleep 0.05; done
    [ "$1" = no ] || first="SELECT 'before: ' || coalesce(to_regclass('versions')::text, 'nothing');"
    psql -XAtq >"$folder/waiter" <<SQL &
$first
BEGIN;
SELECT pg_advisory_xact_lock(1);
SELECT 'function: ' || coalesce(to_regclass('versions')::text, 'nothing');
SELECT 'catalog: ' || coalesce((SELECT relname FROM pg_class WHERE relname = 'versions'), 'nothing');
SELECT 'again: ' || coalesce(to_regclass('versions')::text, 'nothing');
COMMIT;
SQL
    waiter=$!
    until [ "$(waits)" = 1 ]; do sleep 0.05; done
    echo "COMMIT;" >&3
    exec 3>&-
    wait "$maker" "$waiter"
    rm "$folder/maker"
    grep -E '^(function|catalog|again)' "$folder/waiter" | paste -sd ' '
}

asked=$(second yes)
unasked=$(second no)
echo "asked before the wait: $asked"
echo "not asked before the wait: $unasked"
[ "$asked" = 'function: nothing catalog: versions again: versions' ] &&
    [ "$unasked" = 'function: versions catalog: versions again: versions' ] ||
    { echo "changed: to_regclass sees what was made during the wait"; exit 1; }
echo "as stated"
