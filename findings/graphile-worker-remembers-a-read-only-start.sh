#!/usr/bin/env bash
# A graphile-worker that was started while the database was read-only never works again, and says so nowhere.
#
# Expected: a worker that cannot take a job logs an error and tries again, and takes jobs once the database is writable,
#   started before the outage or during it.
# Seen: started before, it recovers. Started during it, it first has to write the names of its tasks; the promise of
#   that failed statement is kept and answers each later poll with the old error, without asking the database. So it
#   fails ten seconds after the database has become writable as it did before, and would for ever. The process stays up,
#   run() stays pending, and the failures are logged at level debug, which the default logger does not print.
#   A second process takes the job at once.
# Why it matters for a supervisor: a rolling restart in the middle of a switch-over leaves workers that look idle. "No
#   work" and "could not look for work" must differ in log, metrics and readiness; a claim loop counts its failures in
#   a row; and what is cached must be a value, not an attempt.
# Versions: graphile-worker 0.17.3 from npm, Node 20.20, PostgreSQL 15.20 (Debian 12).
# Source: graphile-worker, src/taskIdentifiers.ts (the kept promise) and src/worker.ts ("contiguous fails").
# Output seen:
#   started before, writable again: the job ran
#   started while read-only, writable again for 10 s: the job did not run, still failing, none above debug
#   started afterwards: the job ran
set -euo pipefail

bin=/usr/lib/postgresql/15/bin
for tool in npm node psql "$bin/initdb"; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
as() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    (cd / && exec setpriv --reuid postgres --regid postgres --clear-groups "$@")
}
mkdir "$folder/server"
chmod 755 "$folder"
[ "$(id -u)" != 0 ] || chown postgres "$folder/server"
server="$bin/pg_ctl -s -w -D $folder/server/data"
worker=
trap '[ -z "$worker" ] || kill -KILL "$worker" 2>/dev/null || true
    as $server -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" graphile-worker@0.17.3 \
    >/dev/null 2>&1 ||
    { echo "cannot run: graphile-worker 0.17.3 could not be installed"; exit 2; }
echo "graphile-worker 0.17.3, node $(node --version), $("$bin/postgres" --version)"
as "$bin/initdb" -A trust -U postgres -D "$folder/server/data" >/dev/null
as $server -l "$folder/server/log" -o "-k $folder/server -c listen_addresses=''" start
export PGHOST=$folder/server PGUSER=postgres PGDATABASE=postgres

cat >"$folder/worker.mjs" <<'JS'
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const connectionString = `socket:${process.env.PGHOST}?db=postgres`;
if (process.argv[2] === "add") {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.addJob("greet", {});
  await utils.release();
} else {
  const logger = new Logger(() => (level, message) => console.log(level, message));
  const taskList = { greet: async () => console.log("the job ran") };
  await run({ connectionString, taskList, logger, concurrency: 1, pollInterval: 100 });
}
JS

# The setting reaches sessions that are open already; a session that sets it back can still write.
read_only() {
    PGOPTIONS='-c default_transaction_read_only=off' psql -Xqc "ALTER SYSTEM SET default_transaction_read_only = $1" \
        -c 'SELECT pg_reload_conf()' >/dev/null
    for _ in $(seq 100); do
        [ "$(psql -XAtc 'SHOW default_transaction_read_only')" != "$1" ] || return 0
        sleep 0.1
    done
}

# Waits up to 20 s for a line of a worker's log.
line() { for _ in $(seq 200); do ! grep -q "$2" "$folder/$1" || return 0; sleep 0.1; done; return 1; }
start() { node worker.mjs work >>"$folder/$1" 2>&1 & worker=$!; }
stop() { kill -KILL "$worker"; wait "$worker" 2>/dev/null || true; worker=; }
ran() { if line "$1" '^the job ran'; then echo 'the job ran'; else echo 'the job did not run'; fi; }

cd "$folder"
node worker.mjs add >/dev/null 2>&1
start before
before=$(ran before)
read_only on
sleep 2
: >"$folder/before"
read_only off
node worker.mjs add >/dev/null 2>&1
before=$([ "$before" = 'the job ran' ] && ran before)
stop
seen="started before, writable again: $before"$'\n'

read_only on
start during
line during '^debug Failed to acquire job' || { echo "changed: no failure while read-only"; exit 1; }
read_only off
node worker.mjs add >/dev/null 2>&1
sleep 10
grep -q '^the job ran' during && end='the job ran' || end='the job did not run'
failures=$(grep -c 'Failed to acquire job' during)
sleep 1
[ "$(grep -c 'Failed to acquire job' during)" -gt "$failures" ] && end+=', still failing' || end+=', no longer failing'
grep -v '^debug' during | grep -qiE 'read-only|acquire' && end+=', logged' || end+=', none above debug'
kill -0 "$worker" 2>/dev/null || end+=', ended'
stop
seen+="started while read-only, writable again for 10 s: $end"$'\n'

start after
seen+="started afterwards: $(ran after)"
echo "$seen"

expected='started before, writable again: the job ran
started while read-only, writable again for 10 s: the job did not run, still failing, none above debug
started afterwards: the job ran'
[ "$seen" = "$expected" ] || { echo "changed: graphile-worker meets a read-only database in another way"; exit 1; }
echo "as stated"
