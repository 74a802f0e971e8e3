#!/usr/bin/env bash
# A job that spent its delivery limit is dropped on its way back from the retry queue; a rejected one comes back.
#
# Expected: the usual retry loop, work -> (dead letter) -> retry with a TTL -> (dead letter) -> work, brings a message
#   back after the TTL, whatever made it a dead letter. Only cycles in which no consumer has a part are broken; here
#   consumers took the message and failed, be it by basic.reject or until x-delivery-limit was spent.
# Seen: with basic.reject it goes round as often as one likes. With the delivery limit, whether by nacks that
#   requeue or by consumers that went away, it reaches the retry queue, and when its TTL is over RabbitMQ drops it as a
#   "cycle": for that only the reason "rejected" counts as somebody's will, "delivery_limit" is as automatic as a TTL.
#   One rejection earlier in its life, and the same message comes back. The dead-letter strategy "at-least-once" on both
#   queues does not bring it back either. One warning stands in the log per pair of queues, none for later messages.
# Why it matters for a supervisor: it is the jobs whose worker was killed, by the OOM killer or with its host, that come
#   by the limit; those that said that they failed are rejected. So in one and the same topology errors are
#   retried, and crashes lose the job without a trace: both queues are empty, and nothing was returned or nacked. Let
#   the limit lead to a queue that does not come back, and let the supervisor publish again what is to be retried.
# Versions: RabbitMQ 3.10.8 (Debian 12), pika 1.4.4 from PyPI.
# Source: RabbitMQ, deps/rabbit/src/rabbit_dead_letter.erl: is_cycle, and log_cycle_once.
# Output seen: what consumers did with one job, how often they got it, and what is left in both queues at last:
#   reject reject reject reject: 4 deliveries, left 1
#   gone gone gone gone: 2 deliveries, left 0
#   requeue requeue requeue requeue: 2 deliveries, left 0
#   reject gone gone gone: 4 deliveries, left 1
#   gone gone gone gone, at-least-once: 2 deliveries, left 0
#   warnings for two jobs that were dropped between the same queues: 1
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
channel = connection.channel()
channel.confirm_delivery()

def declare(name, more):
    """The loop: a limit of one redelivery, and half a second in the retry queue."""
    work = {"x-queue-type": "quorum", "x-delivery-limit": 1, "x-dead-letter-routing-key": f"retry {name}"}
    retry = {"x-queue-type": "quorum", "x-message-ttl": 500, "x-dead-letter-routing-key": f"work {name}"}
    for kind, arguments in (("work", work), ("retry", retry)):
        arguments = {"x-dead-letter-exchange": ""} | arguments | more
        channel.queue_declare(f"{kind} {name}", durable=True, arguments=arguments)

def count(name):
    return sum(channel.queue_declare(f"{kind} {name}", passive=True).method.message_count for kind in ("work", "retry"))

def tell(name, ends):
    """One job; each of its consumers makes the next of the ends of it, if the job comes within 4 s."""
    channel.basic_publish("", f"work {name}", b"job")
    deliveries, until = 0, time.monotonic() + 4
    while deliveries < len(ends) and time.monotonic() < until:
        consumer = connection.channel()
        delivery, _, _ = consumer.basic_get(f"work {name}")
        if delivery:
            if ends[deliveries] != "gone":
                consumer.basic_nack(delivery.delivery_tag, requeue=ends[deliveries] == "requeue")
            deliveries, until = deliveries + 1, time.monotonic() + 4
        consumer.close()
        time.sleep(0.05)
    time.sleep(1.5)
    return f"{deliveries} deliveries, left {count(name)}"

safe = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
for number, (ends, more, also) in enumerate((
        ("reject reject reject reject", {}, ""),
        ("gone gone gone gone", {}, ""),
        ("requeue requeue requeue requeue", {}, ""),
        ("reject gone gone gone", {}, ""),
        ("gone gone gone gone", safe, ", at-least-once"))):
    declare(number, more)
    print(f"{ends}{also}: {tell(number, ends.split())}", flush=True)
tell(2, ["requeue"] * 3)
connection.close()
PYTHON
)
echo "$seen"
warnings=$(cat "$folder"/log/*.log | grep -c 'Message dropped. Dead-letter queues cycle detected: .*work 2' || true)
echo "warnings for two jobs that were dropped between the same queues: $warnings"

expected='reject reject reject reject: 4 deliveries, left 1
gone gone gone gone: 2 deliveries, left 0
requeue requeue requeue requeue: 2 deliveries, left 0
reject gone gone gone: 4 deliveries, left 1
gone gone gone gone, at-least-once: 2 deliveries, left 0'
[ "$seen" = "$expected" ] && [ "$warnings" = 1 ] ||
    { echo "changed: RabbitMQ treats a spent delivery limit in a cycle in another way"; exit 1; }
echo "as stated"
