"""The workflows of the conformance kit, offered when `MUSTER_CONFORMANCE` is set. See protocol/SPEC.md."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, List

from .context import call_all, context
from .errors import CallError
from .policy import NOTHING_DECLARED, Policy
from .wire.messages import DeclaredRetry
from .workflow import Definition


def echo(params: Any) -> Any:
    """Returns its parameters."""
    return params


def fail(kind: str = "ExecutionError", message: str = "") -> None:
    """Fails with an error of the kind asked for."""
    raise type(kind, (Exception,), {})(message)


def sleep(seconds: float) -> float:
    """Blocks; a cancel breaks in."""
    time.sleep(seconds)
    return seconds


def ignore_cancel(seconds: float) -> str:
    """Swallows the cancel and SIGTERM, and goes on."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(max(0.0, end - time.monotonic()))
        except BaseException:  # the sin this workflow is here for
            continue
    return "ignored"


def print_(text: str, count: int = 1) -> int:
    """Prints on the language's own stdout."""
    for _ in range(count):
        print(text)
    return count


def raw_print(text: str) -> int:
    """Writes to fd 1 behind the language's back, through libc where ctypes is there."""
    data = (text + "\n").encode()
    try:
        import ctypes

        return int(ctypes.CDLL(None).write(1, data, len(data)))
    except (ImportError, OSError, AttributeError):
        return os.write(1, data)


def child_print(text: str) -> int:
    """Lets a child process write to the stdout it inherits."""
    return subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", text], check=False).returncode


def log(count: int) -> int:
    """Writes `line 0`, `line 1` and so on."""
    logger = logging.getLogger("conformance")
    for number in range(count):
        logger.info("line %d", number)
    return count


def tell(text: Any, times: int, count: Any) -> None:
    """Logs and reports what it is given, whatever that is."""
    context.log.info(text * times, text=text, count=count)
    context.progress(count, count, text * times)


def call(method: str, params: Any = None, count: int = 1) -> List[Any]:
    """Makes the same call `count` times at once and returns the replies."""
    answers = call_all([(method, params)] * count)
    for answer in answers:
        if isinstance(answer, CallError):
            raise answer
    return answers


def linger(until: str, done: str) -> None:
    """Leaves a thread that logs and calls once the file `until` is there, and writes into `done` what it was told."""

    def speak() -> None:
        while not os.path.exists(until):
            time.sleep(0.002)
        context.log.info("left behind")
        try:
            context.config.get("left")
            told = "answered"
        except CallError as error:
            told = error.kind
        with open(done, "w", encoding="utf-8") as file:
            file.write(told)

    threading.Thread(target=speak, daemon=True).start()


def disturb() -> None:
    """Changes what the next run could find."""
    os.chdir("/")
    os.umask(0)
    os.environ["MUSTER_DISTURBED"] = "1"
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 3600)


def surroundings() -> Dict[str, Any]:
    """What a run finds of that."""
    mask = os.umask(0o22)
    os.umask(mask)
    return {
        "directory": os.getcwd(),
        "umask": mask,
        "variable": os.environ.get("MUSTER_DISTURBED"),
        "signal": str(signal.getsignal(signal.SIGUSR1)),
        "is_timer_on": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
    }


def crash() -> None:
    """Kills its own process."""
    os.kill(os.getpid(), signal.SIGKILL)


def exit_(code: int = 0) -> None:
    """Ends the process with this code, without a word."""
    os._exit(code)


def big(bytes: int) -> str:
    """Returns a string of that length."""
    return "x" * bytes


def hold_pipes(seconds: float) -> int:
    """Leaves a grandchild behind that keeps the descriptors it inherits open."""
    code = "import subprocess, sys; subprocess.Popen(['sleep', sys.argv[1]], close_fds=False)"
    return subprocess.run([sys.executable, "-c", code, str(seconds)], close_fds=False, check=False).returncode


def stdin() -> str:
    """Returns what reading fd 0 gives: nothing."""
    return os.read(0, 65536).decode()


def declared(count: int = 1) -> int:
    """Declares what its description must hold."""
    return count


_ALL: List[Callable[..., Any]] = [
    *(echo, fail, sleep, ignore_cancel, print_, raw_print, child_print),
    *(linger, disturb, surroundings),
    *(log, tell, call, crash, exit_, big, hold_pipes, stdin, declared),
]


_DECLARED = Policy(90.5, DeclaredRetry(3, 2500, 150, 60_000, ["Busy"], ["Fatal"]))


def definitions() -> Dict[str, Definition]:
    """All of them by name."""
    found = {}
    for function in _ALL:
        name = f"conformance.{function.__name__.rstrip('_')}"
        found[name] = Definition(function, name, _DECLARED if function is declared else NOTHING_DECLARED)
    return found
