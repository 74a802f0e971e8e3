"""`run` and `list`: the same user code with a terminal in the supervisor's place.

Logs and prints go to stderr, the result to stdout. State lives in memory. The clock stands still while a
debugger waits at its prompt, so `breakpoint()` can be used in a workflow with a timeout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import uuid
from typing import Any, Dict, List, Optional, Tuple

from . import carry, interrupt, streams
from .execution import Execution
from .logs import capture_logging
from .port import Answer
from .registry import Registry
from .runner import run
from .wire.limits import EXIT_USAGE
from .wire.messages import Cancelled, ErrorInfo, Failed, Inline, Level, LogRecord, Named, Outcome, Rejected, Succeeded

EXIT_FAILED = 1
EXIT_TIMEOUT = 124
EXIT_CANCELLED = 130
_TICK_SECONDS = 0.02
_COLOURS = {Level.Trace: "2", Level.Debug: "2", Level.Info: "32", Level.Warn: "33", Level.Error: "31"}


class TerminalPort:
    """The way out of an execution that runs in a terminal."""

    def __init__(self, config: Dict[str, Any]) -> None:
        self._config = config
        self._state: Dict[str, Any] = {}
        self._colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    def log(self, record: LogRecord) -> None:
        """One line: time, level, logger, message, fields."""
        at = time.strftime("%H:%M:%S", time.localtime(record.timestamp_us / 1e6))
        level = f"{record.level.name.upper():5}"
        if self._colour:
            level = f"\x1b[{_COLOURS[record.level]}m{level}\x1b[0m"
        fields = json.loads(record.fields) if record.fields else {}
        extra = "".join(f" {key}={json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
        sys.stderr.write(f"{at} {level} {record.logger}: {record.message}{extra}\n")

    def progress(self, current: int, total: int, message: str) -> None:
        """One line."""
        share = f"{current}/{total} ({100 * current // total} %)" if total else str(current)
        sys.stderr.write(f"progress {share} {message}".rstrip() + "\n")

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """Answers from memory."""
        return [self._answer(method, json.loads(params)) for method, params in calls]

    def _answer(self, method: str, params: Any) -> Answer:
        if method == "config.get":
            value = self._config.get(params["key"])
        elif method == "state.get":
            value = self._state.get(params["key"])
        elif method == "state.set":
            self._state[params["key"]] = params["value"]
            value = None
        elif method == "state.delete":
            self._state.pop(params["key"], None)
            value = None
        elif method == "execution.submit":
            value = {"execution_id": str(uuid.uuid4())}
            sys.stderr.write(f"submit {params['workflow']} {json.dumps(params['params'])} (not run here)\n")
        else:
            return None, ErrorInfo("UnknownMethod", f"there is no method {method!r}")
        return json.dumps(value).encode(), None


class _Clock:
    """Ends the execution when its time is up, counting only the time outside of a debugger's prompt."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._paused_seconds = 0.0

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._loop, name="muster-watcher", daemon=True).start()

    def _loop(self) -> None:
        before = time.monotonic()
        while not self._execution.closed:
            time.sleep(_TICK_SECONDS)
            now = time.monotonic()
            if _at_a_prompt():
                self._paused_seconds += now - before
            else:
                self._execution.check_deadline(now - self._paused_seconds, 0.0)
                if self._execution.due():
                    interrupt.wake()
            before = now


def _at_a_prompt() -> bool:
    """True while the main thread is inside a debugger."""
    main = threading.main_thread().ident
    frame = sys._current_frames().get(main) if main is not None else None
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in ("bdb", "pdb", "ipdb", "pydevd", "debugpy"):
            return True
        frame = frame.f_back
    return False


def run_command(options: argparse.Namespace) -> int:
    """`run WORKFLOW`: one execution; the exit code tells how it ended."""
    try:
        params = _read_params(options.params)
        config = _read_config(options.config)
        code = _read_code(options.code)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    # The result alone goes to stdout; what user code and its children print goes to stderr.
    result_fd = os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    streams.scrub_environment()
    carry.into_thread_pools()
    port = TerminalPort(config)
    execution = Execution(
        port, 1, str(uuid.uuid4()), 1, options.workflow, b"", round((options.timeout or 0) * 1000)
    )
    outcome = _run(options, execution, params, code)
    execution.closed = True
    streams.flush()
    return _report(outcome, execution, result_fd)


def _run(options: argparse.Namespace, execution: Execution, params: bytes, code: Optional[bytes]) -> Outcome:
    interrupt.install(lambda: os._exit(128 + 15))
    capture_logging(Level.Debug if os.environ.get("MUSTER_LOG_LEVEL") == "debug" else Level.Info)
    try:
        registry = Registry(options.workflows_dir, bool(os.environ.get("MUSTER_CONFORMANCE")))
        if code is None:
            registry.load()
        job = registry.find(options.workflow, Named() if code is None else Inline("", code))
    except Exception as error:
        return Rejected(str(error))
    execution.start_clock()
    _Clock(execution).start()
    return run(execution, job, params)


def _report(outcome: Outcome, execution: Execution, result_fd: int) -> int:
    if isinstance(outcome, Succeeded):
        text = json.dumps(json.loads(outcome.result), ensure_ascii=False, indent=2 if os.isatty(result_fd) else None)
        with os.fdopen(result_fd, "w", encoding="utf-8") as out:
            out.write(text + "\n")
        return 0
    if isinstance(outcome, Failed):
        _show_error(outcome.error)
        return {"WorkflowTimeout": EXIT_TIMEOUT, "KeyboardInterrupt": EXIT_CANCELLED}.get(
            outcome.error.kind, EXIT_FAILED
        )
    if isinstance(outcome, Cancelled):
        timed_out = execution.request is not None and execution.request.reason == "Timeout"
        print(f"{'timeout' if timed_out else 'cancelled'}: {outcome.message}", file=sys.stderr)
        return EXIT_TIMEOUT if timed_out else EXIT_CANCELLED
    print(f"error: {outcome.reason}", file=sys.stderr)
    return EXIT_FAILED


def _show_error(error: ErrorInfo) -> None:
    if error.stack:
        print(error.stack.rstrip(), file=sys.stderr)
    print(f"failed: {error.kind}: {error.message}", file=sys.stderr)


def _read_params(text: str) -> bytes:
    where = "--params"
    if text == "-":
        text, where = sys.stdin.read(), "stdin"
    elif text.startswith("@"):
        where = text[1:]
        with open(where, encoding="utf-8") as file:
            text = file.read()
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON: {error}") from None
    return text.encode()


def _read_code(path: Optional[str]) -> Optional[bytes]:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _read_config(entries: List[str]) -> Dict[str, Any]:
    config: Dict[str, Any] = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or not key:
            raise ValueError(f"--config {entry!r}: write KEY=VALUE")
        try:
            config[key] = json.loads(value)
        except ValueError:
            config[key] = value
    return config


def list_command(options: argparse.Namespace) -> int:
    """`list`: every workflow, and every file that cannot be loaded."""
    registry = Registry(options.workflows_dir, bool(os.environ.get("MUSTER_CONFORMANCE")))
    out = sys.stdout
    sys.stdout = sys.stderr
    try:
        registry.load()
    except Exception as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        sys.stdout = out
    found = {name: definition.where for name, definition in sorted(registry.entries().items())}
    if options.json:
        print(json.dumps([{"workflow": name, "where": where} for name, where in found.items()]))
    else:
        width = max(map(len, found), default=0)
        for name, where in found.items():
            print(f"{name:{width}}  {where}")
        if not found:
            print(f"there are no workflows in {options.workflows_dir}", file=sys.stderr)
    return EXIT_FAILED if registry.broken() else 0
