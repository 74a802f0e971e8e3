#!/usr/bin/env bash
# redis-rs 1 ends a BLPOP after half a second with "timed out", and each BLPOP so ended takes a job for nobody.
#
# Expected: `connection.blpop("jobs", 5.0)` waits for up to five seconds and gives the job or None, as the redis crate
#   did before version 1. If the client has a time limit of its own, it leaves blocking commands out of it, or lets go
#   of the connection, so that a loop that asks again after an error finds the next job.
# Seen: an async connection has a limit of 500 ms for every answer, also of commands that block. The upgrade notes say
#   in one line that such limits should be adjusted. They do not say what is lost: the call fails, the connection stays,
#   and the server still waits on its behalf. The job pushed next leaves the list, and its answer is thrown away. A
#   worker's loop that takes the error for "nothing yet" sends a further BLPOP each half second behind the one
#   that blocks, so that after six idle seconds all of twelve jobs are lost, with ConnectionManager just as much. Of a
#   pool's connections none is lost: deadpool-redis asks PING before it gives one out again, which fails, and closes it.
# Why it matters for a supervisor: the error looks like a server in trouble, the usual answer is to ask again, and the
#   list is empty as if all were done. While jobs come faster than one in half a second nothing shows. What ends a
#   blocking command by a limit of the client must close the connection; and a claim should be BLMOVE, which
#   leaves the job in a second list.
# Versions: redis 1.8.1, deadpool-redis 0.23.1, tokio 1 (crates.io), Redis 7.0 (Debian 12).
# Source: redis-rs, src/client.rs, DEFAULT_RESPONSE_TIMEOUT; src/aio/multiplexed_connection.rs, send_recv (at the time
#   limit it lets go of the receiver only, the command stays sent). Its issue 1924 has the limit, but not the loss.
#   deadpool-redis, src/lib.rs, recycle (the PING).
# Output seen:
#   connection: 12 jobs pushed, 0 received, 0 left
#   connection, limit of 6 s: 12 jobs pushed, 12 received, 0 left
#   manager: 12 jobs pushed, 0 received, 0 left
#   pool: 12 jobs pushed, 12 received, 0 left
set -euo pipefail

for tool in cargo redis-server redis-cli python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill -KILL "$server"; wait "$server"; } 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "claims"
version = "0.1.0"
edition = "2021"

[dependencies]
redis = { version = "=1.8.1", features = ["tokio-comp", "connection-manager"] }
deadpool-redis = "=0.23.1"
tokio = { version = "1", features = ["rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$folder/src/main.rs" <<'RUST'
use redis::{AsyncCommands, AsyncConnectionConfig, RedisResult};
use std::time::{Duration, Instant};

async fn work(url: &str, with: &str) {
    let client = redis::Client::open(url).unwrap();
    let six = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(6)));
    let mut connection = match with {
        "limit" => client.get_multiplexed_async_connection_with_config(&six).await.unwrap(),
        _ => client.get_multiplexed_async_connection().await.unwrap(),
    };
    let mut manager = client.get_connection_manager().await.unwrap();
    let runtime = deadpool_redis::Runtime::Tokio1;
    let pool = deadpool_redis::Config::from_url(url).create_pool(Some(runtime)).unwrap();
    let mut received = 0;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        let claim: RedisResult<Option<(String, String)>> = match with {
            "manager" => manager.blpop("jobs", 5.0).await,
            "pool" => pool.get().await.unwrap().blpop("jobs", 5.0).await,
            _ => connection.blpop("jobs", 5.0).await,
        };
        match claim {
            Ok(Some(_)) => received += 1,
            Ok(None) => {}
            Err(error) if error.is_timeout() => {}
            Err(error) => panic!("{error}"),
        }
    }
    println!("{received}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(&arguments[1], &arguments[2]));
}
RUST
(cd "$folder" && cargo build --quiet >build.log 2>&1) || { echo "cannot run: redis 1.8.1 could not be built"; exit 2; }
version() { sed -n "/^name = \"$1\"\$/{n;s/version = //p}" "$folder/Cargo.lock" | tr -d '"'; }
echo "redis $(version redis), deadpool-redis $(version deadpool-redis), tokio $(version tokio)," \
    "$(redis-server --version | cut -d' ' -f1-3)"

port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' >"$folder/log" 2>&1 &
server=$!
ask() { redis-cli -h 127.0.0.1 -p "$port" "$@"; }
for _ in $(seq 100); do [ "$(ask PING 2>/dev/null)" != PONG ] || break; sleep 0.1; done
[ "$(ask PING 2>/dev/null)" = PONG ] || { echo "cannot run: Redis did not start"; exit 2; }

# trial DATABASE WITH NAME: a worker that is idle for six seconds, then twelve jobs within two.
trial() {
    local worker
    "$folder/target/debug/claims" "redis://127.0.0.1:$port/$1" "$2" >"$folder/received$1" 2>"$folder/errors$1" &
    worker=$!
    sleep 6.3
    for job in $(seq 12); do ask -n "$1" RPUSH jobs "$job" >/dev/null; sleep 0.15; done
    wait "$worker" || { echo "$3: $(tail -n 1 "$folder/errors$1")"; return; }
    echo "$3: 12 jobs pushed, $(cat "$folder/received$1") received, $(ask -n "$1" LLEN jobs) left"
}
trial 1 connection connection >"$folder/seen1" & one=$!
trial 2 limit 'connection, limit of 6 s' >"$folder/seen2" & two=$!
trial 3 manager manager >"$folder/seen3" & three=$!
trial 4 pool pool >"$folder/seen4" & four=$!
wait "$one" "$two" "$three" "$four"
seen=$(cat "$folder"/seen[1-4])
echo "$seen"

expected='connection: 12 jobs pushed, 0 received, 0 left
connection, limit of 6 s: 12 jobs pushed, 12 received, 0 left
manager: 12 jobs pushed, 0 received, 0 left
pool: 12 jobs pushed, 12 received, 0 left'
[ "$seen" = "$expected" ] || { echo "changed: redis-rs ends a blocking command in another way"; exit 1; }
echo "as stated"
