"""A process with a person in front of it, as a place for one execution.

The result alone goes to stdout. What user code and its children print goes to stderr, like the logs.
"""

from __future__ import annotations

import contextvars
import json
import os
import sys
from typing import Callable, NoReturn

from .. import carry, interrupt, stacks, streams
from ..errors import Rejection
from ..execution import Execution
from ..logs import capture_logging
from ..registry import Registry
from ..runner import run
from ..wire.messages import Level, Outcome, Rejected, Source
from .clock import Clock

GRACE_SECONDS = 1.0
"""How long a cancel may take, where nobody says."""
FORCE_SECONDS = 2.0
"""From the second cancel to the end by force: a supervisor's `graceful_shutdown_seconds`, for impatient people."""


class CannotLoad(Exception):
    """The workflows folder as a whole cannot be used; a worker would say InitFailed."""


class Desk:
    """Takes the process over. There is one, and it runs one execution."""

    def __init__(self, workflows_dir: str, level: Level) -> None:
        conformance = bool(os.environ.get("MUSTER_CONFORMANCE"))
        self._result_fd = os.dup(1)
        sys.stdout.flush()
        os.dup2(2, 1)
        streams.write_whole_lines()
        streams.scrub_environment()
        carry.into_threads()
        interrupt.install(lambda: os._exit(128 + 15))
        capture_logging(level)
        self._registry = Registry(workflows_dir, conformance)
        self._workflows_dir = None if conformance else workflows_dir

    def load(self) -> None:
        """Loads the folder, as a worker does before it is Ready."""
        if self._workflows_dir is not None and not os.path.isdir(self._workflows_dir):
            raise CannotLoad(f"there is no folder {self._workflows_dir}; name yours with --workflows-dir DIR")
        try:
            self._registry.load()
        except Exception as error:
            raise CannotLoad(str(error)) from error

    def run(self, execution: Execution, source: Source, params: bytes, clock: Clock) -> Outcome:
        """The outcome of the execution."""
        try:
            job = self._registry.find(execution.workflow, source)
        except Rejection as rejection:
            return Rejected(str(rejection))
        execution.start_clock()
        clock.start()
        try:
            return contextvars.copy_context().run(run, execution, job, params)
        finally:
            execution.close()
            streams.flush()

    def print_result(self, result: bytes) -> None:
        """The result on stdout; in several lines for a person, in one for a pipe."""
        text = json.dumps(json.loads(result), ensure_ascii=False, indent=2 if os.isatty(self._result_fd) else None)
        with os.fdopen(self._result_fd, "w", encoding="utf-8", closefd=False) as out:
            out.write(text + "\n")


def end_by_force(execution: Execution, and_then: Callable[[], int]) -> NoReturn:
    """Says what holds the execution up, and ends the process. For the clock's thread."""
    streams.flush()
    sys.stderr.write(f"it does not end when asked; what it is doing:\n{stacks.of_all_threads(execution)}\n")
    code = and_then()
    streams.flush()
    os._exit(code)
