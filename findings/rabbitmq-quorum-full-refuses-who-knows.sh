#!/usr/bin/env bash
# A full quorum queue that rejects publishes goes on refusing the channel that it has refused, and takes from new channels.
#
# Expected: with `x-max-length: 10` and `x-overflow: reject-publish` a publish is confirmed while there is room and nacked while there
#   is none, whoever publishes, as a classic queue does. So who is nacked tries again a little later and gets in when a
#   consumer has taken something.
# Seen: a channel that was nacked once is nacked until the queue has fallen to 8, four fifths of the limit. A channel that is
#   opened meanwhile gets in as soon as a consumer has taken one message. So while others open a channel for each message, the
#   one that keeps its channel is refused without end, though every consumed message makes room: in six rounds below
#   the newcomers get in six times, and it never. With a new channel it gets in, too.
# Why it matters for a supervisor: a publisher that does it right, one channel with confirms and another try after a nack, starves
#   beside those that do it cheaply; and a queue that is "full" for one is not for the next, so that its length tells
#   nothing. After some nacks in a row, reopen the channel.
# Versions: RabbitMQ 3.10.8 (Debian 12), pika 1.3.2 from PyPI.
# Source: RabbitMQ, deps/rabbit/src/rabbit_fifo.erl, the queue_status messages reject_publish and go (is_below_soft_limit, 80 %),
#   sent to the channels that have published; rabbit_fifo_client.erl refuses by itself between the two.
# Output seen:
#   classic, full: refused at 10; a message taken, then the old channel: ack nack nack nack nack nack; a new one: nack
#   quorum, full: refused at 11
#   six times a message is taken, then the old channel: nack nack nack nack nack nack; a new one: ack ack ack ack ack ack
#   nobody else publishes, the old channel at 10 ready: nack, at 9: nack, at 8: ack
set -euo pipefail

rabbit=$(ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-3.10.*/sbin/rabbitmq-server 2>/dev/null | head -n 1)
[ -n "$rabbit" ] && command -v python3 >/dev/null || { echo "cannot run: RabbitMQ 3.10 or python3 is missing"; exit 2; }
echo "$(basename "$(dirname "$(dirname "$rabbit")")"), pika 1.3.2"
folder=$(mktemp -d)
broker=
# The broker leads a session of its own; epmd, which it may have started, is shared with other brokers and left alone.
trap '[ -z "$broker" ] || kill -TERM -- "-$broker" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/lib" pika==1.3.2 >/dev/null 2>&1 ||
    { echo "cannot run: pika 1.3.2 could not be installed"; exit 2; }
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

seen=$(PYTHONPATH=$folder/lib timeout 90 python3 - "$port" <<'PYTHON'
import sys
import time
import pika

where = pika.ConnectionParameters("127.0.0.1", int(sys.argv[1]), blocked_connection_timeout=30)
connection = pika.BlockingConnection(where)
taker = connection.channel()

def channel():
    made = connection.channel()
    made.confirm_delivery()
    return made

def publish(over, queue):
    try:
        over.basic_publish("", queue, b"job")
        return "ack"
    except pika.exceptions.NackError:
        return "nack"

def new(queue):
    """A channel for one message."""
    over = channel()
    answer = publish(over, queue)
    over.close()
    return answer

def ready(queue):
    return taker.queue_declare(queue, passive=True).method.message_count

def full(kind):
    queue, old = f"{kind} queue", channel()
    arguments = {"x-queue-type": kind, "x-max-length": 10, "x-overflow": "reject-publish"}
    old.queue_declare(queue, durable=True, arguments=arguments)
    while publish(old, queue) == "ack":
        pass
    # What was confirmed may be counted a moment later.
    time.sleep(0.5)
    return queue, old, ready(queue)

def rounds(queue, old):
    """What the old channel is told, then a new one, each time that a message was taken."""
    told = []
    for _ in range(6):
        assert taker.basic_get(queue, auto_ack=True)[0]
        time.sleep(0.3)
        told.append((publish(old, queue), new(queue)))
    return [" ".join(one) for one in zip(*told)]

queue, old, at = full("classic")
assert taker.basic_get(queue, auto_ack=True)[0]
olds = [publish(old, queue) for _ in range(6)]
print(f"classic, full: refused at {at}; a message taken, then the old channel: {' '.join(olds)}; a new one: {new(queue)}")

queue, old, at = full("quorum")
print(f"quorum, full: refused at {at}")
olds, news = rounds(queue, old)
print(f"six times a message is taken, then the old channel: {olds}; a new one: {news}")
answers = []
for left in (10, 9, 8):
    while ready(queue) > left:
        assert taker.basic_get(queue, auto_ack=True)[0]
    # The queue tells the channel that there is room: at 8 it gets ten seconds for it.
    until = time.monotonic() + (10 if left == 8 else 0.5)
    answer = "nack"
    while answer == "nack" and time.monotonic() < until:
        time.sleep(0.1)
        answer = publish(old, queue)
    answers.append(answer)
print("nobody else publishes, the old channel at 10 ready: {}, at 9: {}, at 8: {}".format(*answers))
connection.close()
PYTHON
)
echo "$seen"

expected='classic, full: refused at 10; a message taken, then the old channel: ack nack nack nack nack nack; a new one: nack
quorum, full: refused at 11
six times a message is taken, then the old channel: nack nack nack nack nack nack; a new one: ack ack ack ack ack ack
nobody else publishes, the old channel at 10 ready: nack, at 9: nack, at 8: ack'
[ "$seen" = "$expected" ] || { echo "changed: RabbitMQ refuses others"; exit 1; }
echo "as stated"
