#!/usr/bin/env python3
"""A worker in lines of JSON that does everything right, except for the one sin it is asked for.

It proves the conformance kit: each sin must fail its own check and no other. Without the SDK, so that a fault
of the SDK cannot hide here. `wrong.py SIN`, or `wrong.py none`.
"""
import json, os, queue, signal, subprocess, sys, threading, time

SIN = sys.argv[1]
FEATURES = ["log", "call", "cancel", "ping", "drain", "dump"]
FRAME_MAX_BYTES = 16_777_215

incoming, outgoing = os.dup(0), os.dup(1)
for descriptor in (incoming, outgoing):
    os.set_inheritable(descriptor, SIN == "leaks-pipes")
if SIN != "reads-stdin":
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
if SIN != "raw-prints":
    os.dup2(2, 1)
lock = threading.Lock()


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
            data = data[os.write(outgoing, data) :]


class Run:
    """The present run, as both threads see it."""

    def __init__(self, fields):
        self.number, self.params = fields["run"], fields.get("params")
        self.cancelled, self.replies, self.sent = threading.Event(), queue.Queue(), 0
        self.swallows = False


def fail(run):
    message = run.params["message"]
    raise Failure(run.params["kind"], message.splitlines()[0] if SIN == "cuts-messages" else message)


def sleep(run):
    if SIN == "deaf-to-cancel":
        run.cancelled = threading.Event()
    if run.cancelled.wait(run.params["seconds"]):
        raise Cancelled


def ignore_cancel(run):
    if SIN == "escapes":
        subprocess.Popen(["setsid", "sleep", "20"], stdout=outgoing, start_new_session=True)
        escaped = os.fork()
        if escaped == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(20)
            os._exit(0)
        os.waitpid(escaped, 0)
    run.swallows = True
    time.sleep(run.params["seconds"])


def print_(run):
    for _ in range(run.params.get("count", 1)):
        print(run.params["text"], flush=True)
    if SIN == "prints":
        os.write(outgoing, (run.params["text"] + "\n").encode())


def raw_print(run):
    os.write(1, (run.params["text"] + "\n").encode())


def child_print(run):
    out = outgoing if SIN == "child-prints" else None
    subprocess.run(["echo", run.params["text"]], stdout=out, check=True)


def log(run):
    count = run.params["count"]
    numbers = list(range(count))
    if SIN == "shuffles-logs":
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
        send("Call", run=run.number, call=number, method=method, params=params)
    values = {}
    while len(values) < count:
        number, result = run.replies.get()
        if number in range(count):
            values[len(values) if SIN == "mixes-replies" else number] = result
        elif SIN == "takes-any-reply":
            values[len(values)] = result
    return [value_of(values[number]) for number in range(count)]


def one_call(run, number, method, params):
    send("Call", run=run.number, call=number, method=method, params=params)
    return value_of(run.replies.get()[1])


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


leak = []


def echo(run):
    if SIN == "leaks-descriptors":
        os.dup(0)
    if SIN == "leaks-memory":
        leak.append("x" * 16384 + str(run.number))
    return run.params


WORKFLOWS = {
    "echo": echo,
    "fail": fail,
    "sleep": sleep,
    "ignore_cancel": ignore_cancel,
    "print": print_,
    "raw_print": raw_print,
    "child_print": child_print,
    "log": log,
    "call": call,
    "crash": crash,
    "exit": lambda run: os._exit(0 if SIN == "hides-exit-codes" else run.params["code"]),
    "big": lambda run: "x" * run.params["bytes"],
    "hold_pipes": hold_pipes,
    "stdin": lambda run: "" if SIN == "none" else os.read(0, 1).decode(),
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
    if fields["source"] != "Named" and SIN != "runs-any-path" or not (work or SIN == "runs-anything"):
        finish(run, {"Rejected": {"reason": f"no workflow named {name}"}})
    else:
        if SIN != "never-starts":
            send("Started", run=run.number)
        finish(run, outcome_of(run, work or (lambda run: None)))


class Worker:
    def __init__(self):
        self.run, self.last_cancel, self.draining = None, None, False
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
        self.run = Run(fields)
        if SIN == "cancels-the-next" and self.last_cancel is not None:
            self.run.params, self.last_cancel = "cancelled", None
        self.todo.put(fields)

    def cancel(self, fields):
        if self.run and fields["run"] == self.run.number:
            self.run.cancelled.set()
        else:
            self.last_cancel = fields["run"]

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
        elif name == "Reply" and run and fields["run"] == run.number:
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
        if SIN == "stays" or SIN == "stays-running" and self.run:
            time.sleep(20)
        os._exit(1 if SIN == "ends-with-1" and not self.run else 0)


def messages():
    """A message each, or None at the end."""
    pending = b""
    while data := os.read(incoming, 65536):
        if SIN == "one-message-per-read" and data.count(b"\n") > 1:
            data = data[: data.index(b"\n") + 1]
        pending += data
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            yield json.loads(line)
        if SIN == "whole-lines-only":
            pending = b""
    yield None


def terminated(_number, _frame):
    if SIN == "deaf-to-sigterm" or worker.run and (worker.run.swallows or SIN == "deaf-to-sigterm-running"):
        return
    os._exit(143)


worker, features = Worker(), []
signal.signal(signal.SIGTERM, terminated)
stream = messages()
if SIN == "versions-2-to-3":
    send("Hello", protocol_min=2, protocol_max=3, features=FEATURES)
else:
    send("Hello", protocol_min=1, protocol_max=1, implementation="wrong.py " + SIN, language="python", pid=os.getpid(), features=FEATURES)
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
if SIN == "init-fails-with-1" and not first["Welcome"]["config"]["workflows_dir"].startswith("/nonexistent") is False:
    send("InitFailed", error={"kind": "NoFolder", "message": "no workflows folder"})
    os._exit(1)
if SIN != "hasty":
    send("Ready", workflows=["conformance." + name for name in WORKFLOWS])


def listen():
    for message in stream:
        if message is None:
            worker.end()
        worker.hear(message)


threading.Thread(target=listen, daemon=True).start()
worker.serve()
