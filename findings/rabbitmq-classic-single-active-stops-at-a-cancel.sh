#!/usr/bin/env bash
# A classic queue with a single active consumer stops when that one is cancelled, until its channel closes.
#
# Expected: "single active consumer" hands over by itself: when the active one is cancelled, the next one that waits
#   takes its place and gets the messages that are in the queue. A worker that is to drain says basic.cancel, finishes
#   and acks what it has in hand, and meanwhile or at the latest then its successor works on.
# Seen: so it is with a quorum queue, which serves the next consumer at the cancel, beside the message that is still in
#   hand. A classic queue chooses the next consumer and sends it nothing: not at the cancel, not at the ack of the last
#   message in hand, and not by waiting. It goes on when the cancelled consumer's channel is closed, or when a message is
#   given back. Nothing tells: the cancel is confirmed, and the queue has its messages ready and a consumer.
# Why it matters for a supervisor: a drain that cancels, acks and keeps its channel, be it for other work or because the
#   pause may be taken back, holds up the queue for all who stand by, and not for the sake of order, as nothing is in
#   hand any more. A test with an empty queue, or one that ends the process at once, never shows it. Consume on a channel
#   of its own, and close that as soon as the last message is acked; or take a quorum queue, and then mind that the
#   successor works beside the predecessor.
# Versions: RabbitMQ 3.10.8 (Debian 12), pika 1.4.4 from PyPI.
# Source: RabbitMQ, deps/rabbit/src/rabbit_amqqueue_process.erl: handle_call of basic_cancel sets the new active consumer
#   and does not call run_message_queue, which consuming, requeueing and handle_ch_down do. Later versions do it
#   there, too (stop_consumer, requeue_and_run).
# Output seen: six messages, the active consumer has one of them in hand
#   quorum, after the cancel: next 1, 4 ready
#   quorum, after the ack: next 1, 4 ready
#   classic, after the cancel: next 0, 5 ready
#   classic, after the ack: next 0, 5 ready
#   classic, 4 s later: next 0, 5 ready
#   classic, after the channel's close: next 1, 4 ready
#   classic, after the cancel: next 0, 5 ready
#   classic, after a nack with requeue: next 1, 5 ready
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

class Consumer:
    def __init__(self, queue):
        self.connection = pika.BlockingConnection(where)
        self.channel = self.connection.channel()
        self.channel.basic_qos(prefetch_count=1)
        self.got = []
        self.tag = self.channel.basic_consume(queue, lambda _channel, method, _properties, body: self.got.append(method))

def handover(kind, *steps):
    queue = f"{kind} {steps[-1]}"
    connection = pika.BlockingConnection(where)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind, "x-single-active-consumer": True})
    active = Consumer(queue)
    active.connection.process_data_events(0.5)
    following = Consumer(queue)
    following.connection.process_data_events(0.5)
    for number in range(6):
        channel.basic_publish("", queue, str(number).encode())
    until = time.monotonic() + 10
    while not active.got and time.monotonic() < until:
        active.connection.process_data_events(0.1)
    assert (len(active.got), len(following.got)) == (1, 0)

    def say(what):
        # Time for whatever may come.
        for _ in range(4):
            active.connection.process_data_events(0.2)
            following.connection.process_data_events(0.2)
        ready = channel.queue_declare(queue, passive=True).method.message_count
        print(f"{kind}, {what}: next {len(following.got)}, {ready} ready", flush=True)

    active.channel.basic_cancel(active.tag)
    say("after the cancel")
    for step in steps:
        if step == "after the ack":
            active.channel.basic_ack(active.got[0].delivery_tag)
        elif step == "after a nack with requeue":
            active.channel.basic_nack(active.got[0].delivery_tag, requeue=True)
        elif step == "after the channel's close":
            active.channel.close()
        else:
            following.connection.process_data_events(4)
        say(step)
    for each in (active.connection, following.connection, connection):
        each.close()

handover("quorum", "after the ack")
handover("classic", "after the ack", "4 s later", "after the channel's close")
handover("classic", "after a nack with requeue")
PYTHON
)
echo "$seen"

expected='quorum, after the cancel: next 1, 4 ready
quorum, after the ack: next 1, 4 ready
classic, after the cancel: next 0, 5 ready
classic, after the ack: next 0, 5 ready
classic, 4 s later: next 0, 5 ready
classic, after the channel'\''s close: next 1, 4 ready
classic, after the cancel: next 0, 5 ready
classic, after a nack with requeue: next 1, 5 ready'
[ "$seen" = "$expected" ] || { echo "changed: RabbitMQ hands a classic queue over otherwise"; exit 1; }
echo "as stated"
