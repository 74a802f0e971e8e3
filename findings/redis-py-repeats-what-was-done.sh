#!/usr/bin/env bash
# redis-py 8, with nothing set, does one call twice when the server stands still for eight seconds, and says so nowhere.
#
# Expected: a client without a timeout waits, as redis-py did up to version 7; one call, done once. A client that has
#   given up waiting does not know whether the command was done: it repeats a GET, but of an INCR or an RPUSH it says
#   that it failed.
# Seen: a read waits five seconds and is then tried again up to ten times, whatever the command. The server carries out
#   what had arrived before it stood still and what came again: a counter goes up by two, a list or a stream has the
#   entry twice, a transaction has run twice. One call, one answer, no error, no warning. A script that takes seven
#   seconds is asked for again after five; the call ends with the server's BUSY and yet the script is done.
# Why it matters for a supervisor: a pause of the server (a fork for a snapshot, a paused machine, a slow command of
#   somebody else) puts a job twice into the queue while its sender has seen one success; there is no redelivered flag.
#   A message wants an identifier made by the sender before the call, and the consumer must look at it. Do not take an
#   answered call for a call done once; give retry=Retry(NoBackoff(), 0) to a client that sends work.
# Versions: redis-py 8.1.0 and, to compare, 7.2.0 from PyPI, Python 3.11, Redis 7.0 (Debian 12).
# Source: redis-py, redis/_defaults.py (the five seconds, the ten retries) and redis/client.py (Redis._execute_command,
#   Pipeline.execute: call_with_retry around sending and reading, for every command).
# Output seen:
#   7.2.0, INCR: answer 1, the counter is 1
#   8.1.0, INCR: answer 2, the counter is 2
#   8.1.0, INCR of redis.asyncio: answer 2, the counter is 2
#   8.1.0, RPUSH in a transaction: answer 2, the list has 2
#   8.1.0, XADD: one identifier, the stream has 2
#   8.1.0, script of 7 s: BUSY, and done
set -euo pipefail

for tool in python3 redis-server; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill -KILL "$server"; wait "$server"; } 2>/dev/null || true; rm -rf "$folder"' EXIT
for version in 7.2.0 8.1.0; do
    python3 -m pip install --quiet --disable-pip-version-check --target "$folder/$version" "redis==$version" \
        >/dev/null 2>&1 || { echo "cannot run: redis-py $version could not be installed"; exit 2; }
done
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
echo "redis-py 7.2.0 and 8.1.0, $(redis-server --version | cut -d' ' -f1-3), $(python3 --version)"
cd "$folder"
redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 100); do ! grep -q 'Ready to accept' "$folder/log" || break; sleep 0.1; done
grep -q 'Ready to accept' "$folder/log" || { echo "cannot run: redis-server did not start"; exit 2; }

cat >"$folder/calls.py" <<'PYTHON'
import asyncio
import os
import signal
import sys
import threading
import time
import redis
import redis.asyncio

port, server = int(sys.argv[1]), int(sys.argv[2])
client = redis.Redis(host="127.0.0.1", port=port)
looker = redis.Redis(host="127.0.0.1", port=port, socket_timeout=60)
name = redis.__version__

def standing_still(call, before=client.ping):
    """Makes the call, on a connection that is open, while the server stands still for eight seconds."""
    looker.flushall()
    before()
    os.kill(server, signal.SIGSTOP)
    timer = threading.Timer(8, os.kill, (server, signal.SIGCONT))
    timer.start()
    try:
        return call()
    except redis.RedisError as error:
        return type(error).__name__
    finally:
        timer.join()
        time.sleep(1)

print(f"{name}, INCR: answer {standing_still(lambda: client.incr('n'))}, the counter is {int(looker.get('n'))}")
if name.startswith("7"):
    sys.exit()

def together():
    transaction = client.pipeline(transaction=True)
    transaction.set("job", "x")
    transaction.rpush("queue", "job")
    return transaction.execute()[1]

with asyncio.Runner() as runner:
    other = redis.asyncio.Redis(host="127.0.0.1", port=port)
    answer = standing_still(lambda: runner.run(other.incr("n")), lambda: runner.run(other.ping()))
    runner.run(other.aclose())
print(f"{name}, INCR of redis.asyncio: answer {answer}, the counter is {int(looker.get('n'))}")
print(f"{name}, RPUSH in a transaction: answer {standing_still(together)}, the list has {looker.llen('queue')}")
answer = standing_still(lambda: client.xadd("stream", {"job": "x"}))
print(f"{name}, XADD: {'one identifier' if b'-' in answer else answer}, the stream has {looker.xlen('stream')}")

script = """
local start = redis.call('TIME')[1]
while redis.call('TIME')[1] - start < 7 do end
redis.call('SET', 'done', 'done')
return 'done'
"""
try:
    answer = client.eval(script, 0).decode()
except redis.RedisError as error:
    answer = "BUSY" if "busy running a script" in str(error) else repr(error)
time.sleep(5)
print(f"{name}, script of 7 s: {answer}, and {(looker.get('done') or b'not done').decode()}")
PYTHON

seen=$(for version in 7.2.0 8.1.0; do PYTHONPATH=$folder/$version timeout 80 python3 calls.py "$port" "$server"; done)
echo "$seen"

expected='7.2.0, INCR: answer 1, the counter is 1
8.1.0, INCR: answer 2, the counter is 2
8.1.0, INCR of redis.asyncio: answer 2, the counter is 2
8.1.0, RPUSH in a transaction: answer 2, the list has 2
8.1.0, XADD: one identifier, the stream has 2
8.1.0, script of 7 s: BUSY, and done'
[ "$seen" = "$expected" ] || { echo "changed: redis-py repeats commands in another way"; exit 1; }
echo "as stated"
