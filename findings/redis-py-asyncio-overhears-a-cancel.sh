#!/usr/bin/env bash
# Under Python 3.11 a task that is cancelled while redis-py 8 sends its command is not cancelled: it waits for the answer and goes on.
#
# Expected: whatever stands in `await client.blpop(...)` ends with CancelledError at `task.cancel()`, at every point; so do the deadlines and
#   groups that are built on it. That is how an asyncio worker is stopped while it waits for work.
# Seen: with redis-py 8.1.0 that is so when the task already waits for the answer. When the cancel comes one to three turns of the event
#   loop after the call, it disappears without an error: the call returns its answer, here None after a second, and
#   a loop around it calls again, for ever.
#   redis-py 6.4.0 ends with CancelledError at each of these points. Every command does so: BLPOP, XREADGROUP, GET. Two things meet:
#   asyncio.wait_for of Python up to 3.11 loses a cancel that comes in the turn in which what it waits for is done, and
#   redis-py sends by it if there is a socket_timeout. Version 8 has one by itself, of five seconds:
#   with socket_timeout=None it loses none, and 6.4.0 with socket_timeout=5 loses the same. Python 3.12.1 loses none either way.
# Why it matters for a supervisor: a worker looks at its stop flag when something wakes its loop, and that is often the moment at which
#   one blocking read has ended and the next was just sent: the rare point is the usual one. An idle worker of taskiq-redis
#   1.2.4 with RedisStreamBroker ends at SIGTERM within seconds with redis-py 6.4.0; with 8.1.0 (it asks for 8) it was still
#   asking XREADGROUP 25 seconds later, and its launcher waits for it. Cancel until the task is done, not once.
# Versions: redis-py 8.1.0 and 6.4.0 from PyPI; Python 3.11.7, Redis 7.0.15 (Debian 12).
# Source: redis-py, redis/asyncio/connection.py, send_packed_command: `asyncio.wait_for(self._send_packed_command(command), self.socket_timeout)`;
#   CPython issue 81839 (bpo-37658), wait_for that suppresses cancellation, rewritten on asyncio.timeout in 3.12.
# Output seen: the turns of the loop, of 0 to 3 after the call, at which a cancel was lost:
#   redis-py 6.4.0, BLPOP: none; XREADGROUP: none; GET: none
#   redis-py 8.1.0, BLPOP: 1 2 3; XREADGROUP: 1 2 3; GET: 1 2 3
#   redis-py 6.4.0 with socket_timeout=5, BLPOP: 1 2 3; XREADGROUP: 1 2 3; GET: 1 2 3
#   redis-py 8.1.0 with socket_timeout=None, BLPOP: none; XREADGROUP: none; GET: none
#   redis-py 6.4.0, cancelled while it waits: CancelledError
#   redis-py 8.1.0, cancelled while it waits: CancelledError
#   redis-py 6.4.0, a loop of BLPOP cancelled after a turn: has ended
#   redis-py 8.1.0, a loop of BLPOP cancelled after a turn: goes on
set -euo pipefail

for tool in redis-server redis-cli python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
python3 -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || { echo "cannot run: Python 3.12 has another asyncio.wait_for"; exit 2; }
redis-server --version | cut -d ' ' -f 1-3
python3 --version
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$folder"' EXIT
for version in 6.4.0 8.1.0; do
    python3 -m pip install --quiet --disable-pip-version-check --target "$folder/$version" "redis==$version" >/dev/null 2>&1 ||
        { echo "cannot run: redis $version could not be installed"; exit 2; }
done
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --save '' --appendonly no >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 100); do [ "$(redis-cli -p "$port" PING 2>/dev/null)" != PONG ] || break; sleep 0.1; done
[ "$(redis-cli -p "$port" PING 2>/dev/null)" = PONG ] || { echo "cannot run: Redis did not start"; exit 2; }

cat >"$folder/cancel.py" <<'PYTHON'
import asyncio
import sys
import warnings
import redis.asyncio

port, version, what = sys.argv[1:]
warnings.simplefilter("ignore")
COMMANDS = {
    "BLPOP": lambda client: client.blpop("queue", 1),
    "XREADGROUP": lambda client: client.xreadgroup("group", "me", {"stream": ">"}, block=1000),
    "GET": lambda client: client.get("key"),
}

async def connected(**more):
    client = redis.asyncio.Redis(host="127.0.0.1", port=int(port), **more)
    await client.flushall()
    await client.xgroup_create("stream", "group", mkstream=True)
    return client

async def lost(command, more):
    """The turns after which a cancel was lost."""
    turns = []
    for turn in range(4):
        client = await connected(**more)
        task = asyncio.ensure_future(command(client))
        for _ in range(turn):
            await asyncio.sleep(0)
        if not task.done() and task.cancel():
            await asyncio.wait({task}, timeout=5)
            if not task.cancelled():
                turns.append(str(turn))
        await client.aclose()
    return " ".join(turns) or "none"

async def waiting():
    client = await connected()
    task = asyncio.ensure_future(COMMANDS["BLPOP"](client))
    await asyncio.sleep(0.4)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    await client.aclose()
    return "CancelledError" if task.cancelled() else "nothing"

async def looping():
    client = await connected()

    async def work():
        while True:
            await COMMANDS["BLPOP"](client)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    # It gets the time of three calls.
    await asyncio.wait({task}, timeout=3.5)
    said = "has ended" if task.done() else "goes on"
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.3)
    await client.aclose()
    return said

async def main():
    if what in ("lost", "lost otherwise"):
        more = {} if what == "lost" else {"socket_timeout": {"6": 5, "8": None}[version[0]]}
        said = "; ".join([f"{name}: {await lost(command, more)}" for name, command in COMMANDS.items()])
        print(f"redis-py {version}" + "".join(f" with {name}={value}" for name, value in more.items()) + f", {said}")
    elif what == "waiting":
        print(f"redis-py {version}, cancelled while it waits: {await waiting()}")
    else:
        print(f"redis-py {version}, a loop of BLPOP cancelled after a turn: {await looping()}")

asyncio.run(main())
PYTHON
seen=$(
    for what in lost 'lost otherwise' waiting looping; do
        for version in 6.4.0 8.1.0; do
            PYTHONPATH=$folder/$version timeout 40 python3 "$folder/cancel.py" "$port" "$version" "$what" 2>>"$folder/errors"
        done
    done
) || { cat "$folder/errors"; exit 2; }
echo "$seen"
expected='redis-py 6.4.0, BLPOP: none; XREADGROUP: none; GET: none
redis-py 8.1.0, BLPOP: 1 2 3; XREADGROUP: 1 2 3; GET: 1 2 3
redis-py 6.4.0 with socket_timeout=5, BLPOP: 1 2 3; XREADGROUP: 1 2 3; GET: 1 2 3
redis-py 8.1.0 with socket_timeout=None, BLPOP: none; XREADGROUP: none; GET: none
redis-py 6.4.0, cancelled while it waits: CancelledError
redis-py 8.1.0, cancelled while it waits: CancelledError
redis-py 6.4.0, a loop of BLPOP cancelled after a turn: has ended
redis-py 8.1.0, a loop of BLPOP cancelled after a turn: goes on'
[ "$seen" = "$expected" ] || { echo "changed: a cancel arrives at other points"; exit 1; }
echo "as stated"
