#!/usr/bin/env bash
# A client that stands still within a statement keeps its locks: no timeout ends it, nor does pg_cancel_backend.
#
# Expected: with statement_timeout, lock_timeout, idle_in_transaction_session_timeout and idle_session_timeout of 1 s a
#   session is, at any time, in a statement or idle, so that one of them ends whatever it does after about a second. At
#   least pg_cancel_backend ends what pg_stat_activity shows as "active".
# Seen: true for a transaction that is left open. Not so where the server waits for the client within a statement: in a
#   pipeline, between an answer and the Sync; in COPY FROM STDIN; and when rows are taken one by one and the socket is
#   full. The session is "active", waits for ClientRead or ClientWrite, and holds its locks for as long as the client
#   likes. Only pg_terminate_backend, or the client's end, ends it. When the client moves on, the pipeline commits as
#   if nothing had been; the other two fail then, canceled by the timeout of long ago or the cancel.
# Why it matters for a supervisor: a worker that is stopped, frozen with its cgroup or busy with its first row holds
#   the queue's rows for hours, and the timeouts set against that are silent. A watchdog that looks for "idle in
#   transaction" does not see it, and one that cancels what is "active" for too long cancels for ever.
# Versions: PostgreSQL 15.20 (Debian 12), psycopg 3.3.9 from PyPI, Linux 6.18.
# Source: PostgreSQL, src/backend/tcop/postgres.c: ProcessClientReadInterrupt and ProcessClientWriteInterrupt look at
#   nothing but the session's end while in a statement; exec_execute_message switches statement_timeout off at its
#   end, PostgresMain switches the idle timeouts on only where it says ReadyForQuery, that is, after the Sync.
# Output seen: session and table after 3 s; the same 1 s after pg_cancel_backend; the end when the client goes on:
#   transaction left open: gone, free; gone, free; IdleInTransactionSessionTimeout
#   pipeline: active ClientRead, locked; active ClientRead, locked; committed
#   COPY FROM STDIN: active ClientRead, locked; active ClientRead, locked; QueryCanceled
#   rows taken one by one: active ClientWrite, locked; active ClientWrite, locked; QueryCanceled
#   rows taken one by one, after pg_terminate_backend: gone, free
set -euo pipefail

bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] && command -v python3 >/dev/null ||
    { echo "cannot run: PostgreSQL 15 or python3 is missing"; exit 2; }
echo "$("$bin/postgres" --version), psycopg 3.3.9"

folder=$(mktemp -d)
# PostgreSQL refuses root, so root lends the folder to the user of the Debian package.
as() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    (cd / && exec setpriv --reuid postgres --regid postgres --clear-groups "$@")
}
[ "$(id -u)" != 0 ] || chown postgres "$folder"
server="$bin/pg_ctl -s -w -D $folder/data"
trap 'as $server -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/lib" 'psycopg[binary]==3.3.9' \
    >/dev/null 2>&1 ||
    { echo "cannot run: psycopg 3.3.9 could not be installed"; exit 2; }
as "$bin/initdb" -A trust -U postgres -D "$folder/data" >/dev/null
as $server -l "$folder/log" -o "-k $folder -c listen_addresses='' -c client_connection_check_interval=500" start

seen=$(PYTHONPATH=$folder/lib PGHOST=$folder PGUSER=postgres PGDATABASE=postgres python3 - <<'PYTHON'
import time
import psycopg

LIMITS = " ".join(f"-c {name}=1s" for name in ("statement_timeout", "lock_timeout", "idle_session_timeout",
                                               "idle_in_transaction_session_timeout"))
look = psycopg.connect(autocommit=True)
look.execute("CREATE TABLE jobs (id int PRIMARY KEY, owner text, body text)")
look.execute("INSERT INTO jobs SELECT id, 'nobody', repeat(md5(id::text), 3000) FROM generate_series(1, 200) AS id")
look.execute("ALTER TABLE jobs ALTER body SET STORAGE EXTERNAL")

def session(connection):
    """What the session does, and whether the table can be had."""
    row = look.execute("SELECT state || ' ' || wait_event FROM pg_stat_activity WHERE pid = %s",
                       [connection.info.backend_pid]).fetchone()
    try:
        with look.transaction():
            look.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE NOWAIT")
        table = "free"
    except psycopg.errors.LockNotAvailable:
        table = "locked"
    return f"{row[0] if row else 'gone'}, {table}"

def stand_still(connection):
    """The client's work between two steps; meanwhile somebody else looks on, and tries to cancel."""
    time.sleep(3)
    seen.append(session(connection))
    look.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s", [connection.info.backend_pid])
    time.sleep(1)
    seen.append(session(connection))

def left_open(connection):
    with connection.transaction():
        connection.execute("UPDATE jobs SET owner = 'a' WHERE id = 1")
        stand_still(connection)
        connection.execute("UPDATE jobs SET owner = 'b' WHERE id = 1")

def pipeline(connection):
    with connection.pipeline():
        connection.execute("UPDATE jobs SET owner = 'mine' WHERE id = 2 RETURNING id").fetchone()
        stand_still(connection)

def copy(connection):
    with connection.cursor() as cursor, cursor.copy("COPY jobs (id) FROM STDIN") as rows:
        rows.write_row([201])
        stand_still(connection)
        rows.write_row([202])

def one_by_one(connection):
    with connection.cursor() as cursor:
        for number, _ in enumerate(cursor.stream("SELECT * FROM jobs FOR UPDATE SKIP LOCKED")):
            if number == 0:
                stand_still(connection)

for name, way in (("transaction left open", left_open), ("pipeline", pipeline),
                  ("COPY FROM STDIN", copy), ("rows taken one by one", one_by_one)):
    seen = []
    connection = psycopg.connect(autocommit=True, options=LIMITS)
    try:
        way(connection)
        end = "committed"
    except psycopg.Error as error:
        end = type(error).__name__
    print(f"{name}: {'; '.join(seen)}; {end}")
    connection.close()

# pg_terminate_backend, the way out.
connection = psycopg.connect(autocommit=True, options=LIMITS)
with connection.cursor() as cursor:
    rows = cursor.stream("SELECT * FROM jobs FOR UPDATE SKIP LOCKED")
    next(rows)
    look.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
    print(f"rows taken one by one, after pg_terminate_backend: {session(connection)}")
PYTHON
)
echo "$seen"
expected='transaction left open: gone, free; gone, free; IdleInTransactionSessionTimeout
pipeline: active ClientRead, locked; active ClientRead, locked; committed
COPY FROM STDIN: active ClientRead, locked; active ClientRead, locked; QueryCanceled
rows taken one by one: active ClientWrite, locked; active ClientWrite, locked; QueryCanceled
rows taken one by one, after pg_terminate_backend: gone, free'
[ "$seen" = "$expected" ] || { echo "changed: something now ends a session whose client stands still"; exit 1; }
echo "as stated"
