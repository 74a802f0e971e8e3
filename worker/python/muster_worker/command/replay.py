"""`replay`: runs a recorded execution again, gives it the recorded answers, and shows the first difference."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from typing import Any, Dict, List, NoReturn, Optional, Tuple

from .. import interrupt
from ..execution import Execution
from ..port import Answer
from ..results import too_large
from ..version import __version__
from ..wire import binary
from ..wire.limits import EXIT_USAGE, FRAME_MAX_BYTES
from ..wire.messages import (
    TO_SUPERVISOR,
    ErrorInfo,
    Failed,
    Finished,
    Inline,
    Level,
    LogRecord,
    Metrics,
    Ok,
    Outcome,
    Succeeded,
)
from .clock import Clock
from .comparison import Asked, Comparison, show, shown_call
from .desk import FORCE_SECONDS, CannotLoad, Desk, end_by_force
from .given import read_entries
from .json_values import parsed
from .masks import Masks, is_masked
from .memory import Memory
from .recording import CannotReplay, Recording
from .terminal import Terminal
from .transcript import TranscriptError, read

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_CANNOT_REPLAY = 2


class ReplayPort:
    """The way out of an execution that is replayed: everything is shown, compared, and answered from the recording."""

    def __init__(self, terminal: Terminal, recording: Recording, comparison: Comparison, config: Dict[str, Any]) -> None:
        self.execution: Optional[Execution] = None
        self.past: List[str] = []
        """The calls that the recording knows no answer to."""
        self._memory = Memory(terminal, config, {})
        self._terminal = terminal
        self._recording = recording
        self._comparison = comparison

    def log(self, record: LogRecord) -> None:
        """A line."""
        self._terminal.log(record)
        self._comparison.log(record)

    def progress(self, current: int, total: int, message: str) -> None:
        """A line. How often progress is told is a matter of time, so it is not compared."""
        self._terminal.progress(current, total, message)

    def call_all(self, calls: List[Tuple[str, bytes]]) -> List[Answer]:
        """The recorded answers; past the recording those of `run`."""
        asked = [(method, json.loads(params)) for method, params in calls]
        interrupt.hold()
        try:
            found = [self._comparison.call(method, params) for method, params in asked]
        finally:
            interrupt.release()
        return [self._answer(method, params, one) for (method, params), one in zip(asked, found)]

    def _answer(self, method: str, params: Any, asked: Asked) -> Answer:
        recorded = asked.recorded
        if recorded is not None and isinstance(recorded.answer, Ok):
            self._memory.remember(method, params, recorded.answer.value)
            return recorded.answer.value, None
        if recorded is not None and recorded.answer is not None:
            return None, recorded.answer.error
        if recorded is not None and self._recording.cancel is not None:
            self._wait_for_cancel()
        if self._recording.dropped:
            # It may have been lost.
            what = f"(further) {method} with these params" if recorded is None else f"answer to this {method}"
            return None, ErrorInfo("NotRecorded", f"the recording has no {what}")
        # Whoever has fixed the workflow sees it through to its end.
        self.past.append(f"call {asked.number}, {shown_call(method, params)}")
        return self._memory.answer(method, params)

    def _wait_for_cancel(self) -> NoReturn:
        """The run was cancelled while it waited for an answer, and so it is again."""
        execution = self.execution
        assert execution is not None
        execution.wait_for_cancel()
        is_main = threading.current_thread() is threading.main_thread()
        raise execution.take_cancel() if is_main else execution.cancellation()


def replay_command(options: argparse.Namespace) -> int:
    """`replay FILE`; the exit code tells whether the run did the same."""
    terminal = Terminal()
    try:
        config = read_entries("--config", options.config)
        masks = Masks(config)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    try:
        recording = Recording(read(options.file))
        desk = Desk(options.workflows_dir, Level.Debug)
        if not isinstance(recording.execute.source, Inline):
            desk.load()
    except (OSError, TranscriptError, CannotReplay, CannotLoad) as error:
        print(f"{options.file} cannot be replayed because {_reason(error)}", file=sys.stderr)
        return EXIT_CANNOT_REPLAY
    return _replay(recording, masks, terminal, desk, config)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be opened: {error.strerror}"
    return str(error)


def _replay(recording: Recording, masks: Masks, terminal: Terminal, desk: Desk, config: Dict[str, Any]) -> int:
    execute, comparison = recording.execute, Comparison(recording)
    port = ReplayPort(terminal, recording, comparison, config)
    execution = Execution.of(execute._replace(context=recording.context(masks)), port)
    port.execution = execution
    recording.put_back_in_answers(masks)
    _introduce(recording, masks, terminal)
    clock = Clock(
        execution,
        execute.grace_ms / 1000,
        FORCE_SECONDS,
        lambda: end_by_force(execution, lambda: _report(recording, comparison, None, terminal)),
        recording.cancel,
    )
    outcome = _as_sent(desk.run(execution, execute.source, execute.params, clock))
    if isinstance(outcome, Succeeded):
        desk.print_result(outcome.result)
    elif isinstance(outcome, Failed):
        terminal.error(outcome.error)
    comparison.end(outcome)
    _tell_past(port.past, terminal)
    return _report(recording, comparison, outcome, terminal)


def _as_sent(outcome: Outcome) -> Outcome:
    """The outcome as a worker could have sent it: in one frame."""
    size = len(binary.encode(TO_SUPERVISOR, Finished(0, outcome, Metrics(), 0)))
    return outcome if size <= FRAME_MAX_BYTES else too_large(size, FRAME_MAX_BYTES)


def _introduce(recording: Recording, masks: Masks, terminal: Terminal) -> None:
    head, execute = recording.head, recording.execute
    terminal.say(f"execution {execute.execution_id}, attempt {execute.attempt}: {execute.workflow}")
    if head.implementation:
        by = f"{head.implementation} {head.implementation_version} ({head.language})"
        terminal.say(f"recorded {head.recorded_at} with {by}")
    if head.language not in ("", "python"):
        terminal.say(f"note: this is muster-worker-python {__version__}; another language may word errors differently")
    for key in sorted(masks.missing):
        terminal.say(f"note: {key} is masked in the recording; put it back with --config {key}=VALUE")
    for key in sorted(masks.unused):
        terminal.say(f"note: --config {key}: the recording masks no such value, so this changes nothing")
    if is_masked(parsed(execute.params)):
        terminal.say("note: the parameters hold masked values, which the run sees as ***")


def _tell_past(past: List[str], terminal: Terminal) -> None:
    if past:
        calls = "it was" if len(past) == 1 else f"it and {len(past) - 1} more were"
        terminal.say(
            f"the run went past the recording, which has no answer to {past[0]}: {calls} answered here as in `run`, "
            "with the recorded state, and nothing was written or submitted"
        )


def _report(recording: Recording, comparison: Comparison, outcome: Optional[Outcome], terminal: Terminal) -> int:
    """The first difference, then both outcomes; no outcome means that the replay was ended by force."""
    succeeds_again = recording.succeeded_unseen and isinstance(outcome, Succeeded)
    is_same = comparison.first is None and outcome is not None and (recording.outcome is not None or succeeds_again)
    if recording.dropped:
        kept = "frames of the recording were not kept; calls and log records after the gap were not compared"
        terminal.say(f"note: {recording.dropped} {kept}")
    if comparison.first is not None:
        terminal.say(f"first difference: {comparison.first.where}")
        terminal.say(f"  recorded: {comparison.first.recorded}")
        terminal.say(f"  replayed: {comparison.first.replayed}")
    elif is_same:
        counts = f"{_count(comparison.calls, 'call')}, {_count(comparison.logs, 'log record')}"
        terminal.say(f"the same: {counts}, and the outcome")
    else:
        terminal.say("no difference up to where one of them breaks off")
    terminal.say(f"recorded outcome: {_recorded_outcome(recording)}")
    terminal.say(f"replayed outcome: {show(outcome) if outcome else 'none, it had to be ended by force'}")
    return EXIT_SAME if is_same else EXIT_DIFFERENT


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _recorded_outcome(recording: Recording) -> str:
    if recording.outcome is not None:
        return show(recording.outcome)
    why = "it was not kept" if recording.succeeded_unseen else "the worker was ended before it had one"
    if recording.dropped and not recording.succeeded_unseen:
        why += ", or it was not kept"
    return f"none, {why}" + (f"; the record says {recording.ended}" if recording.ended else "")
