#!/usr/bin/env bash
# A quorum queue puts a message that was nacked at the back, one of a closed channel at the front, and with a
# delivery limit both at the front.
#
# Expected: requeueing gives a message its old place, as in a classic queue; if anything, a delivery limit is what
#   sends a message that fails again and again to the back, so that it does not hold up the others.
# Seen: it is the other way round, and depends on the way back. Without x-delivery-limit, basic.nack, basic.reject and
#   basic.recover append the message at the back; when the channel or the connection closes, the same message goes
#   back to the front. With x-delivery-limit, of whatever height, all of them give it its old place.
# Why it matters for a supervisor: a drain that nacks what it has prefetched turns the queue's order over, a drain that
#   closes its channel does not, and adding a delivery limit, which is about poison messages, changes the
#   order of all. Whoever wants first come, first served declares a limit. A message that always fails is tried
#   again at once with a limit, and after all others without one.
# Versions: RabbitMQ 3.10.8 (Debian 12), pika 1.4.4 from PyPI.
# Source: RabbitMQ, deps/rabbit/src/rabbit_fifo.erl: how a requeue is applied, depending on the delivery limit.
# Output seen: two of five messages, 0 and 1, are taken and given back; then the queue is read:
#   classic, nack: 0 1 2 3 4
#   classic, channel closed: 0 1 2 3 4
#   quorum, nack: 2 3 4 0 1
#   quorum, recover: 2 3 4 0 1
#   quorum, channel closed: 0 1 2 3 4
#   quorum with a limit of 20, nack: 0 1 2 3 4
#   quorum with a limit of 20, recover: 0 1 2 3 4
#   quorum with a limit of 20, channel closed: 0 1 2 3 4
set -euo pipefail

rabbit=$(ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-3.10.*/sbin/rabbitmq-server 2>/dev/null | head -n 1)
[ -n "$rabbit" ] && command -v python3 >/dev/null || { echo "cannot run: RabbitMQ 3.10 or python3 is missing"; exit 2; }
echo "$(basename "$(dirname "$(dirname "$rabbit")")"), pika 1.4.4"
folder=$(mktemp -d)
broker=
# The broker leads a session of its own; epmd, which it may have started, is shared with other brokers and left alone.
trap '[ -z "$broker" ] || kill -TERM -- "-$broker" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/lib" pika==1.4.4 >/dev/null 2>&1 ||
    { echo "cannot run: pika 1.4.4 could not be installed"; exit 2; }
read -r port distribution < <(python3 - <<'PYTHON'
import socket
ends = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(end.getsockname()[1] for end in ends))
PYTHON
)
echo '[].' >"$folder/plugins"
echo 'disk_free_limit.absolute = 50MB' >"$folder/rabbitmq.conf"
cd "$folder"
env -i PATH="$PATH" LANG=C.UTF-8 HOME="$folder" RABBITMQ_NODENAME="finding-$port@localhost" \
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port" RABBITMQ_DIST_PORT="$distribution" \
    RABBITMQ_MNESIA_BASE="$folder/mnesia" RABBITMQ_LOG_BASE="$folder/log" RABBITMQ_PID_FILE="$folder/pid" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$folder/plugins" RABBITMQ_CONFIG_FILE="$folder/rabbitmq.conf" \
    RABBITMQ_CONF_ENV_FILE=/dev/null RUNNING_UNDER_SYSTEMD=true setsid "$rabbit" >"$folder/out" 2>&1 </dev/null &
broker=$!
for _ in $(seq 900); do ! grep -q 'Starting broker... completed' "$folder/out" || break; sleep 0.1; done
grep -q 'Starting broker... completed' "$folder/out" || { echo "cannot run: RabbitMQ did not start"; exit 2; }

seen=$(PYTHONPATH=$folder/lib python3 - "$port" <<'PYTHON'
import sys
import time
import pika

where = pika.ConnectionParameters("127.0.0.1", int(sys.argv[1]), blocked_connection_timeout=30)
connection = pika.BlockingConnection(where)

def taken(channel, queue, count):
    """Bodies in the order of delivery; a message on its way back gets 10 s to arrive."""
    bodies, until = [], time.monotonic() + 10
    while len(bodies) < count and time.monotonic() < until:
        _, _, body = channel.basic_get(queue)
        bodies += [] if body is None else [body.decode()]
    return bodies

def ready(queue, count):
    """Waits until what was given back is in the queue again."""
    until = time.monotonic() + 10
    channel = connection.channel()
    while time.monotonic() < until:
        if channel.queue_declare(queue, passive=True).method.message_count == count:
            break
        time.sleep(0.05)
    return channel

def order(kind, arguments, way):
    queue = f"{kind} {way}"
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(queue, durable=True, arguments=arguments)
    for number in range(5):
        channel.basic_publish("", queue, str(number).encode())
    taken(channel, queue, 2)
    if way == "nack":
        channel.basic_nack(0, multiple=True, requeue=True)
    elif way == "recover":
        channel.basic_recover(requeue=True)
    else:
        channel.close()
    print(f"{kind}, {way}:", *taken(ready(queue, 5), queue, 5))

quorum = {"x-queue-type": "quorum"}
for way in ("nack", "channel closed"):
    order("classic", {}, way)
for kind, more in (("quorum", {}), ("quorum with a limit of 20", {"x-delivery-limit": 20})):
    for way in ("nack", "recover", "channel closed"):
        order(kind, quorum | more, way)
connection.close()
PYTHON
)
echo "$seen"

expected='classic, nack: 0 1 2 3 4
classic, channel closed: 0 1 2 3 4
quorum, nack: 2 3 4 0 1
quorum, recover: 2 3 4 0 1
quorum, channel closed: 0 1 2 3 4
quorum with a limit of 20, nack: 0 1 2 3 4
quorum with a limit of 20, recover: 0 1 2 3 4
quorum with a limit of 20, channel closed: 0 1 2 3 4'
[ "$seen" = "$expected" ] || { echo "changed: RabbitMQ requeues at another place"; exit 1; }
echo "as stated"
