"""`run`: one execution in a terminal. Calls are answered here, and state lives in memory."""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from typing import Any, Dict, List, Tuple

from ..execution import Execution
from ..port import Answer
from ..wire.limits import EXIT_DONE, EXIT_USAGE
from ..wire.messages import Cancelled, Failed, Inline, Level, LogRecord, Named, Outcome, Source, Succeeded
from .clock import Clock
from .desk import FORCE_SECONDS, GRACE_SECONDS, CannotLoad, Desk, end_by_force
from .given import read_code, read_entries, read_params
from .memory import Memory
from .terminal import Terminal

EXIT_FAILED = 1
EXIT_TIMEOUT = 124
EXIT_CANCELLED = 130


class MemoryPort:
    """The way out of an execution that has nobody but the person in front of it."""

    def __init__(self, terminal: Terminal, config: Dict[str, Any], state: Dict[str, Any]) -> None:
        self._terminal = terminal
        self._memory = Memory(terminal, config, state)

    def log(self, record: LogRecord) -> None:
        """A line."""
        self._terminal.log(record)

    def progress(self, current: int, total: int, message: str) -> None:
        """A line."""
        self._terminal.progress(current, total, message)

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """Answers from memory."""
        return [self._memory.answer(method, json.loads(params)) for method, params in calls]


def run_command(options: argparse.Namespace) -> int:
    """`run WORKFLOW`; the exit code tells how it ended."""
    try:
        if options.workflow is None and options.code is None:
            raise ValueError("name a workflow, or a file with --code; `list` shows which there are")
        params = read_params(options.params)
        config = read_entries("--config", options.config)
        state = read_entries("--state", options.state)
        code = read_code(options.code)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    source: Source = Named() if code is None else Inline("", code)
    terminal = Terminal()
    execution = _execution(options, MemoryPort(terminal, config, state), config)
    desk = Desk(options.workflows_dir, Level.Debug if os.environ.get("MUSTER_LOG_LEVEL") == "debug" else Level.Info)
    try:
        if code is None:
            desk.load()
    except CannotLoad as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED

    def give_up() -> int:
        return _report(Cancelled("ended by force"), execution, terminal, desk)

    clock = Clock(execution, GRACE_SECONDS, FORCE_SECONDS, lambda: end_by_force(execution, give_up))
    outcome = desk.run(execution, source, params, clock)
    return _report(outcome, execution, terminal, desk)


def _execution(options: argparse.Namespace, port: MemoryPort, config: Dict[str, Any]) -> Execution:
    workflow = options.workflow or os.path.basename(options.code)
    context = {
        "organization": None,
        "workflow": {"id": None, "name": workflow},
        "caller": None,
        "startup": None,
        "config": config,
    }
    timeout_ms = round((options.timeout or 0) * 1000)
    return Execution(port, 1, str(uuid.uuid4()), 1, workflow, json.dumps(context).encode(), timeout_ms)


def _report(outcome: Outcome, execution: Execution, terminal: Terminal, desk: Desk) -> int:
    if isinstance(outcome, Succeeded):
        desk.print_result(outcome.result)
        return EXIT_DONE
    if isinstance(outcome, Failed):
        terminal.error(outcome.error)
        return {"WorkflowTimeout": EXIT_TIMEOUT, "KeyboardInterrupt": EXIT_CANCELLED}.get(
            outcome.error.kind, EXIT_FAILED
        )
    if isinstance(outcome, Cancelled):
        reason = execution.request.reason if execution.request is not None else "User"
        timed_out = reason in ("Timeout", "WorkflowTimeout")
        terminal.say(f"{'timeout' if timed_out else 'cancelled'}: {outcome.message}")
        return EXIT_TIMEOUT if timed_out else EXIT_CANCELLED
    terminal.say(f"error: {outcome.reason}")
    return EXIT_FAILED
