#!/usr/bin/env bash
# A quorum queue takes an exclusive consumer without a word and then lets others consume beside it.
#
# Expected: basic.consume with the exclusive flag works on a quorum queue as on a classic one: a second consumer is
#   refused with 403, and so is the flag itself when somebody consumes already. Were it not supported, it would be
#   refused loudly, as quorum queues refuse x-max-priority (406), global qos or delete-if-empty (540).
# Seen: the flag is ignored. An exclusive consumer gets its consume-ok, a second one too, exclusive or not, and
#   the messages are shared out between them.
# Why it matters for a supervisor: "one active consumer" made by the exclusive flag is lost when the queue is
#   redeclared as a quorum queue for its safety, and nothing says so: two supervisors then both believe that they are
#   alone. Exclusion belongs into the database, or into x-single-active-consumer.
# Versions: RabbitMQ 3.10.8 (Debian 12), pika 1.4.4 from PyPI.
# Source: RabbitMQ, deps/rabbit/src/rabbit_quorum_queue.erl (consume), against rabbit_amqqueue_process.erl.
# Output seen:
#   classic: the second consumer is refused with 403
#   classic: exclusive beside a plain consumer is refused with 403
#   quorum: both consume, each got 1 of 2 messages
#   quorum: exclusive beside a plain consumer is accepted
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

def consumer(connection, queue, exclusive, got):
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, lambda _channel, _method, _properties, body: got.append(body), exclusive=exclusive)

def two(kind, arguments, first, second):
    """Two consumers on connections of their own; the number of messages each got, or the broker's refusal."""
    one, other = pika.BlockingConnection(where), pika.BlockingConnection(where)
    queue = f"{kind} {first} {second}"
    one.channel().queue_declare(queue, durable=True, arguments=arguments)
    got = ([], [])
    consumer(one, queue, first, got[0])
    try:
        consumer(other, queue, second, got[1])
    except pika.exceptions.ChannelClosedByBroker as refusal:
        return refusal.reply_code
    publisher = one.channel()
    for number in range(2):
        publisher.basic_publish("", queue, str(number).encode())
    until = time.monotonic() + 10
    while len(got[0]) + len(got[1]) < 2 and time.monotonic() < until:
        one.process_data_events(0.05)
        other.process_data_events(0.05)
    return len(got[0]), len(got[1])

quorum = {"x-queue-type": "quorum"}
print("classic: the second consumer is refused with", two("classic", {}, True, False))
print("classic: exclusive beside a plain consumer is refused with", two("classic", {}, False, True))
both = two("quorum", quorum, True, False)
print("quorum: both consume, each got 1 of 2 messages" if both == (1, 1) else f"quorum: {both}")
late = two("quorum", quorum, False, True)
print("quorum: exclusive beside a plain consumer is", "accepted" if isinstance(late, tuple) else f"refused with {late}")
PYTHON
)
echo "$seen"

expected='classic: the second consumer is refused with 403
classic: exclusive beside a plain consumer is refused with 403
quorum: both consume, each got 1 of 2 messages
quorum: exclusive beside a plain consumer is accepted'
[ "$seen" = "$expected" ] || { echo "changed: quorum queues treat exclusive consumers in another way"; exit 1; }
echo "as stated"
