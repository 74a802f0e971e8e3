#!/usr/bin/env python3
"""A worker in lines of JSON that does everything right, except for the one sin it is asked for.

It proves the conformance kit: each sin must fail its own check and no other. Without the SDK, so that a fault
of the SDK cannot hide here. `wrong.py SIN`, or `wrong.py none`.
"""
import contextlib
import ctypes
import json
import math
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time

SIN = sys.argv[1]
sys.setrecursionlimit(5000)
FEATURES = ["log", "progress", "call", "cancel", "ping", "drain", "dump", "describe"]
CHANNEL = os.environ.pop("MUSTER_TEMPLATE_FD", None)
FRAME_MAX_BYTES = 16_777_215

incoming, outgoing = os.dup(0), os.dup(1)
for descriptor in (incoming, outgoing):
    os.set_inheritable(descriptor, SIN == "leaks-pipes")
if SIN != "reads-stdin":
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)
lock = contextlib.nullcontext() if SIN == "interleaves" else threading.Lock()


class Failure(Exception):
    def __init__(self, kind, message):
        self.kind, self.message = kind, message


class Cancelled(Exception):
    pass


def send(name, **fields):
    data = (json.dumps({name: fields}) + "\n").encode()
    if len(data) > FRAME_MAX_BYTES + 1:
        raise OverflowError
    with lock:
        while data:
            written = os.write(outgoing, data[:65536])
            data = data[written:]
            if data and SIN == "interleaves":
                # Whoever else has something to say says it now.
                time.sleep(0.001)


class Run:
    """The present run, as both threads see it."""

    def __init__(self, fields):
        self.number, self.params = fields["run"], fields.get("params")
        self.cancelled, self.replies, self.sent = threading.Event(), queue.Queue(), 0
        self.swallows, self.timeout_ms = False, fields.get("timeout_ms", 0)


def fail(run):
    message = run.params["message"]
    raise Failure(run.params["kind"], message.splitlines()[0] if SIN == "cuts-messages" else message)


def sleep(run):
    cancelled = threading.Event() if SIN == "deaf-to-cancel" else run.cancelled
    limit = run.timeout_ms / 2000 if SIN == "early-deadline" and run.timeout_ms else run.params["seconds"]
    if cancelled.wait(limit) or limit != run.params["seconds"]:
        raise Cancelled


def ignore_cancel(run):
    if SIN == "escapes" and os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(6)
        os._exit(0)
    run.swallows = True
    time.sleep(run.params["seconds"])


def print_(run):
    for _ in range(run.params.get("count", 1)):
        print(run.params["text"], flush=True)
    if SIN == "prints":
        os.write(outgoing, (run.params["text"] + "\n").encode())


def raw_print(run):
    os.write(outgoing if SIN == "raw-prints" else 1, (run.params["text"] + "\n").encode())


def child_print(run):
    out = outgoing if SIN == "child-prints" else None
    subprocess.run(["echo", run.params["text"]], stdout=out, check=True)


def log(run):
    count = run.params["count"]
    numbers = list(range(count))
    if SIN == "shuffles-logs" and count == 3:
        numbers[1:3] = numbers[2:0:-1]
    if SIN == "loses-logs" and count > 1000:
        del numbers[1000]
    if "log" not in features and SIN != "logs-anyway":
        return
    for first in range(0, len(numbers), 256):
        records = [{"level": "Info", "message": f"line {number}"} for number in numbers[first : first + 256]]
        send("Log", run=run.number, records=records)
    run.sent = count


def call(run):
    method, params, count = run.params["method"], run.params.get("params"), run.params.get("count", 1)
    if SIN == "one-call-at-a-time" and count > 1:
        return [one_call(run, number, method, params) for number in range(count)]
    for number in range(count):
        method = "config.got" if SIN == "misspells-methods" else method
        send("Call", run=run.number, call=number, method=method, params=params)
    values = {}
    while len(values) < count:
        number, result = reply_to(run)
        if number in range(count):
            values[len(values) if SIN == "mixes-replies" else number] = result
        elif SIN == "takes-any-reply":
            values[len(values)] = result
    return [value_of(values[number]) for number in range(count)]


def linger(run):
    threading.Thread(target=speak, args=[run], daemon=True).start()


def speak(run):
    while not os.path.exists(run.params["until"]):
        time.sleep(0.002)
    logs_as = worker.run if SIN == "logs-for-another" else run
    send("Log", run=logs_as.number, records=[{"level": "Info", "message": "left behind"}])
    told = "Closed"
    if SIN == "calls-for-another":
        told = "answered"
        send("Call", run=worker.run.number, call=77, method="config.get", params={"key": "left"})
    with open(run.params["done"], "w") as file:
        file.write(told)


def disturb(run):
    os.chdir("/")


def one_call(run, number, method, params):
    send("Call", run=run.number, call=number, method=method, params=params)
    return value_of(reply_to(run)[1])


def reply_to(run):
    while not run.cancelled.is_set():
        with contextlib.suppress(queue.Empty):
            return run.replies.get(timeout=0.02)
    raise Cancelled


def value_of(result):
    if "Err" in result:
        error = result["Err"]["error"]
        raise Failure("CallFailed" if SIN == "renames-errors" else error["kind"], error["message"])
    return result["Ok"].get("value")


def crash(run):
    if SIN == "survives-crash":
        raise Failure("Crashed", "not really")
    os.kill(os.getpid(), signal.SIGKILL)


def hold_pipes(run):
    subprocess.Popen(["sleep", str(run.params["seconds"])], close_fds=False)


def big(run):
    if SIN == "small-frames" and run.params["bytes"] < FRAME_MAX_BYTES:
        raise Failure("ResultTooLarge", "more than I like")
    return "x" * run.params["bytes"]


leak = []


def holds(value, is_it):
    """True when something in the value is it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return is_it(value) or any(holds(one, is_it) for one in inner)


def rounded(value):
    """As a language has it whose only numbers are doubles."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    is_large = isinstance(value, int) and 2**53 < abs(value) < 2**1000
    return int(float(value)) if is_large else value


def tell(run):
    text = run.params["text"].encode("utf-16", "surrogatepass").decode("utf-16", "replace") * run.params["times"]
    if SIN == "fails-for-a-count" and not isinstance(run.params["count"], int):
        raise Failure("TypeError", "not a count")
    message = text if SIN == "logs-without-bounds" else text[:60_000]
    send("Log", run=run.number, records=[{"level": "Info", "message": message}])
    run.sent = 1


def echo(run):
    value = run.params
    if SIN == "leaks-descriptors" and run.number % 10 == 0:
        os.dup(0)
    if SIN == "leaks-memory":
        leak.append("x" * 16384 + str(run.number))
    if SIN == "loses-control-characters" and isinstance(value, str):
        return value.replace("\r", "")
    if holds(value, lambda one: isinstance(one, float) and not math.isfinite(one)):
        raise Failure("InvalidResult", "a number that no double holds")
    if SIN == "rounds-numbers":
        return rounded(value)
    if SIN == "mends-halves":
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    if SIN == "sorts-into-lists" and isinstance(value, dict) and len(value) > 3:
        return sorted(value)
    if SIN == "empty-object" and value is None:
        return {}
    if SIN == "forgets" and run.number == 150:
        return None
    if SIN == "short-memory" and isinstance(value, dict):
        return {key: text[:800_000] if isinstance(text, str) else text for key, text in value.items()}
    if SIN == "finishes-twice-when-cancelled" and value == "short" and run.cancelled.wait(1):
        finish(run, {"Cancelled": {"message": "as asked"}})
    return value


WORKFLOWS = {
    "echo": echo,
    "fail": fail,
    "tell": tell,
    "sleep": sleep,
    "ignore_cancel": ignore_cancel,
    "print": print_,
    "raw_print": raw_print,
    "child_print": child_print,
    "log": log,
    "call": call,
    "linger": linger,
    "disturb": disturb,
    "surroundings": lambda run: os.getcwd(),
    "crash": crash,
    "exit": lambda run: os._exit(0 if SIN == "hides-exit-codes" else run.params["code"]),
    "big": big,
    "hold_pipes": hold_pipes,
    "stdin": lambda run: os.read(0, 1).decode(),
    "declared": lambda run: None,
}


def outcome_of(run, work):
    try:
        return {"Succeeded": {"result": work(run)}}
    except Cancelled:
        return {"Cancelled": {"message": "as asked"}}
    except Failure as error:
        return {"Failed": {"error": {"kind": error.kind, "message": error.message}}}


def finish(run, outcome):
    finished = {"run": run.number, "log_records": run.sent}
    try:
        send("Finished", outcome=outcome, **finished)
    except OverflowError:
        error = {"kind": "TooBig" if SIN == "renames-too-large" else "ResultTooLarge", "message": "it does not fit"}
        send("Finished", outcome={"Failed": {"error": error}}, **finished)


def execute(run, fields):
    name = fields["workflow"].replace("conformance.", "", 1)
    work = WORKFLOWS.get(name)
    if SIN == "finishes-twice":
        finish(run, {"Succeeded": {"result": run.params}})
    anything = SIN == ("runs-anything" if fields["source"] == "Named" else "runs-any-path")
    if not anything and (fields["source"] != "Named" or work is None):
        finish(run, {"Rejected": {"reason": f"no workflow named {name}"}})
    else:
        if SIN != "never-starts":
            send("Started", run=run.number)
        finish(run, outcome_of(run, work or (lambda run: None)))
        if SIN != "puts-nothing-back":
            os.chdir(home)


class Worker:
    def __init__(self):
        self.run, self.early, self.cancelled, self.draining = None, None, set(), False
        self.todo = queue.Queue()

    def serve(self):
        """Runs executions, on the main thread."""
        while (fields := self.todo.get()) is not None:
            execute(self.run, fields)
            run, self.run = self.run, None
            send("Idle", run=run.number)
            if self.draining:
                self.leave()

    def leave(self):
        if SIN != "says-no-goodbye":
            send("Goodbye", reason="drained")
        os._exit(3 if SIN == "leaves-with-3" else 0)

    def execute(self, fields):
        if SIN == "chokes-on-fields" and "later" in fields:
            os._exit(65)
        self.run = Run(fields)
        if SIN == "keeps-early-cancels" and self.early == fields["run"]:
            self.run.params = "cancelled"
        self.todo.put(fields)

    def cancel(self, fields):
        number = fields["run"]
        if SIN == "dies-of-the-second-cancel" and number in self.cancelled:
            os._exit(1)
        if self.run and number == self.run.number:
            self.run.cancelled.set()
            self.cancelled.add(number)
        elif self.early is None:
            self.early = number

    def drain(self):
        if self.run is None or SIN == "drops-the-run":
            self.leave()
        self.draining = True

    def hear(self, message):
        (name, fields), = message.items()
        run = self.run
        if name == "Execute":
            self.execute(fields)
        elif name == "Cancel":
            self.cancel(fields)
        elif name == "Reply" and run and (fields["run"] == run.number or SIN == "takes-replies-of-any-run"):
            run.replies.put((fields["call"], fields["result"]))
        elif name == "Ping" and not (run and SIN == "silent-while-running"):
            send("Pong", nonce=int(float(fields["nonce"])) if SIN != "wrong-nonce" else fields["nonce"] % 2**32)
        elif name == "Drain":
            self.drain()
        elif name == "Dump":
            send("Stacks", run=fields["run"], text="" if SIN == "empty-stacks" else "asleep in sleep()")
        elif name not in ("Welcome", "Reply", "Ping") and SIN == "chokes-on-later":
            os._exit(65)

    def end(self):
        """The supervisor is gone."""
        if SIN == "stays-running" and self.run:
            time.sleep(20)
        os._exit(1 if SIN == "ends-with-1" and not self.run else 0)


def messages():
    """A message each, or None at the end."""
    pending, pieces = b"", 0
    while data := os.read(incoming, 65536):
        # Only of the Ping that is written together with an Execute: whether others are read alone is a matter of time.
        if SIN == "one-message-per-read" and data.startswith(b'{"Ping":{"nonce":1}'):
            data = data[: data.index(b"\n") + 1]
        if SIN == "hates-halves" and len(data) == 2 and not pending:
            os._exit(65)
        pending, pieces = pending + data, pieces + 1
        if SIN == "hates-pieces" and pieces > 100:
            os._exit(65)
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            pieces = 0
            yield json.loads(line)
    yield None


def terminated(_number, _frame):
    deaf = "deaf-to-sigterm-running" if worker.run else "deaf-to-sigterm-idle"
    if SIN != deaf and not (worker.run and worker.run.swallows):
        os._exit(143)


def describe():
    retry = {"max_attempts": 3, "backoff_ms": 2500, "backoff_factor_percent": 150, "backoff_max_ms": 60000,
             "retry_on": ["Busy"], "give_up_on": ["Fatal"]}
    timeout_ms = 90.5 if SIN == "seconds-for-milliseconds" else 90500
    declared = {"name": "conformance.declared", "timeout_ms": int(timeout_ms), "retry": retry}
    send("Describe", replaces=True, workflows=[declared, {"name": "conformance.echo"}])


def hello(offered):
    send("Hello", protocol_min=1, protocol_max=1, implementation="wrong.py " + SIN, language="python", pid=os.getpid(),
         features=offered)


def make_workers(channel):
    """As a template, until it is told to leave. It returns in each worker that it makes."""
    children, poll = {}, select.poll()
    poll.register(incoming, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != incoming:
                poll.unregister(descriptor)
                bury(children, descriptor)
                continue
            message = next(stream)
            if message is None:
                worker.end()
            if "Fork" not in message:
                if SIN == "takes-its-workers-along" and "Drain" in message:
                    for child in children.values():
                        os.kill(child, signal.SIGKILL)
                worker.hear(message)
                continue
            name, streams, _, _ = socket.recv_fds(channel, 256, 3)
            child = os.fork()
            if child == 0:
                return be_born(name, streams, [channel.detach(), *children])
            for one in streams:
                os.close(one)
            with contextlib.suppress(OSError):
                os.setpgid(child, child)
            pidfd = os.pidfd_open(child)
            children[pidfd] = child
            poll.register(pidfd, select.POLLIN)
            socket.send_fds(channel, [name], [pidfd])
            send("Forked", worker_id=name.decode(), pid=child)


def bury(children, pidfd):
    child = children.pop(pidfd)
    os.close(pidfd)
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    status = ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status
    send("Exited", pid=child, status=status & 0xFF00 if SIN == "tells-of-no-signal" else status)
    os.waitpid(child, 0)


def be_born(name, streams, strange):
    os.setpgid(0, 0)
    for one, place in zip([*streams, streams[2]], (incoming, outgoing, 1, 2)):
        os.dup2(one, place, inheritable=place < 3)
    for one in (*streams, *strange):
        os.close(one)
    if SIN != "keeps-its-id":
        os.environ["MUSTER_WORKER_ID"] = name.decode()
        ctypes.memmove(shown_id, name, len(name))


getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_void_p
shown_id = getenv(b"MUSTER_WORKER_ID")
worker, features, home = Worker(), [], os.getcwd()
signal.signal(signal.SIGTERM, terminated)
stream = messages()
if SIN == "versions-2-to-3":
    send("Hello", protocol_min=2, protocol_max=3, features=FEATURES)
else:
    hello(FEATURES + ["template"] * (CHANNEL is not None))
if SIN == "says-hello-twice":
    send("Hello", protocol_min=1, protocol_max=1)
if SIN == "hasty":
    send("Ready", workflows=["conformance." + name for name in WORKFLOWS])
while True:
    first = next(stream)
    if first is None:
        if SIN == "stays-before-welcome":
            time.sleep(20)
        os._exit(71)
    if "Welcome" in first:
        break
    if SIN == "chokes-on-later":
        os._exit(65)
features = first["Welcome"]["features"]
if first["Welcome"]["protocol"] != 1 and SIN != "any-version":
    os._exit(71)
if SIN == "init-fails-with-1" and first["Welcome"]["config"]["workflows_dir"] == "/dev/null":
    send("InitFailed", error={"kind": "NoFolder", "message": "no workflows folder"})
    os._exit(1)
folder = first["Welcome"]["config"]["workflows_dir"]
if SIN == "waits-for-files" and os.path.isdir(folder) and os.listdir(folder):
    time.sleep(30)
if "describe" in features or SIN == "describes-anyway":
    describe()
if SIN != "hasty":
    send("Ready", workflows=["conformance." + name for name in WORKFLOWS])


def listen():
    for message in stream:
        if message is None:
            worker.end()
        worker.hear(message)


if CHANNEL is not None and "template" in features:
    make_workers(socket.socket(fileno=int(CHANNEL)))
    stream = messages()
    hello(FEATURES)
    features = next(stream)["Welcome"]["features"]
    send("Ready", workflows=["conformance." + name for name in WORKFLOWS])
threading.Thread(target=listen, daemon=True).start()
worker.serve()
