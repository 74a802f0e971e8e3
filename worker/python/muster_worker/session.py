"""The conversation with the supervisor: handshake, executions one after another, the end.

The main thread is in `serve`; the watcher and callers come in through `read`, whoever holds
`connection.reading`.
"""

from __future__ import annotations

import collections
import os
import socket
import sys
from typing import Any, Deque, Optional, Set

from . import hooks, identity, interrupt, load_journal, stacks, streams
from .confinement import OwnDomain
from .departure import Departure
from .describing import descriptions
from .errors import Rejection, describe
from .execution import Execution
from .frame_port import FramePort
from .handshake import NoCommonVersion, Terms, greet, hello, terms_of
from .leftovers import left_running, stay_behind
from .logs import capture_logging
from .metrics import Meter, resident_bytes
from .newborn import FirstWords
from .registry import Registry
from .rehearsal import Stage, StandIn, rehearse
from .results import too_large
from .runner import run
from .surroundings import Surroundings
from .template import Birth, Template, take_channel
from .watcher import Watcher
from .wire.connection import Connection, PeerError
from .wire.limits import (
    EXIT_DONE,
    EXIT_INIT_FAILED,
    EXIT_NO_COMMON_VERSION,
    EXIT_PEER_BROKE_PROTOCOL,
    FRAME_HEADER_BYTES,
)
from .wire.messages import (
    TEMPLATE,
    Cancel,
    CancelReason,
    Drain,
    Dump,
    Execute,
    Goodbye,
    InitFailed,
    Named,
    Outcome,
    Ping,
    Pong,
    Ready,
    Rejected,
    Reply,
    Stacks,
    Welcome,
)

_LOADING = object()
LOAD_SECONDS = 10.0
"""What each file of the workflows folder has to be loaded in, where the supervisor does not say."""


class Session:
    """One worker's life with one supervisor."""

    def __init__(self, connection: Connection, departure: Departure, conformance: bool) -> None:
        self.connection = connection
        self.departure = departure
        self.busy: Optional[Any] = None
        """The execution that runs, or a mark while user code is loaded."""
        self._conformance = conformance
        self._described: Set[str] = set()
        """The workflows whose limits the supervisor knows."""
        self._described_version = -1
        self._welcome: Welcome
        self._terms: Terms
        self._inbox: Deque[Execute] = collections.deque()
        self._early_cancel: Optional[Cancel] = None
        self.draining: Optional[str] = None
        self.recycle_wanted = False
        """True once only a new process can be as this one was."""
        self._serves_once = False
        """The supervisor gives this process one run in its life: what is done for the next one is left out."""
        self._ran: Optional[Execution] = None
        """The run after which nothing was put back."""
        self.port: Optional[FramePort] = None
        self._watcher = Watcher(self)
        self._read_once = self.read
        self._surroundings: Surroundings
        self._meter: Meter
        self.is_child = False
        """True in a child that user code forked."""
        self._channel = take_channel()
        self._domain: OwnDomain
        self._template: Optional[Template] = None
        """Kept, also in the workers that it made: to let go of it would cost them more."""

    # The main thread.

    def serve(self) -> int:
        """Runs until the supervisor says so or is gone; returns the exit code."""
        streams.scrub_environment()
        load_journal.take_folder()
        code = self._greet(self._channel is not None)
        if code is not None:
            return code
        self._prepare()
        registry = self._load()
        if registry is None:
            return EXIT_INIT_FAILED
        if self._channel is not None:
            code = self._serve_as_template(self._channel, registry)
            if code is not None:
                return code
        else:
            self._say_ready(registry)
        self._meter = Meter()
        while True:
            execute = self._next_execute()
            if execute is None:
                return EXIT_DONE
            self._run(registry, execute)

    def _greet(self, is_template: bool) -> Optional[int]:
        """Settles the terms; an exit code when there will be no session."""
        try:
            settled = greet(self.connection, is_template)
        except NoCommonVersion as problem:
            print(problem, file=sys.stderr)
            return EXIT_NO_COMMON_VERSION
        if settled is None:
            return EXIT_DONE
        self._welcome, early = settled
        self._agree(self._welcome)
        for message in early:
            self.dispatch(message)
        return None

    def _agree(self, welcome: Welcome) -> None:
        self._terms = terms_of(welcome)
        self._serves_once = self._terms.config.get("serves_once") is True

    def _prepare(self) -> None:
        """Sets the process up, before any user code is loaded."""
        if self._channel is not None and TEMPLATE not in self._terms.features:
            self._channel.close()
            self._channel = None
        capture_logging(self._terms.log_level)
        interrupt.install(self._terminated)
        self._surroundings = Surroundings()
        self._watcher.start()

    def _load(self) -> Optional[Registry]:
        self.busy = _LOADING
        try:
            config = self._terms.config
            load_seconds = config.get("worker_load_seconds", LOAD_SECONDS)
            registry = Registry(config.get("workflows_dir"), self._conformance, load_seconds, self._channel is None)
            self._surroundings.load(registry.load)
        except Exception as error:
            self.connection.send(InitFailed(describe(error)))
            return None
        finally:
            streams.flush()
            self.busy = None
        return registry

    def _serve_as_template(self, channel: socket.socket, registry: Registry) -> Optional[int]:
        """Makes workers until it is time to leave. In each of them: None, when it is all but Ready."""
        self._watcher.stop()
        self._surroundings.expect_births()
        words = FirstWords(self.connection, hello(False), self._welcome, Ready(registry.names()))
        self._domain = OwnDomain(self._terms.config)
        self._describe(registry)
        self._rehearse(registry, words)
        self._template = template = Template(self, channel, registry, self._surroundings.freeze)
        self._say_ready(registry)
        code, birth = template.serve()
        return code if birth is None else self._be_born(template, birth, words, registry)

    def _rehearse(self, registry: Registry, words: FirstWords) -> None:
        """In a template: what each of its workers does first, so that less of it is left to do."""
        supervisor, own_id = self.connection, os.environ.get(identity.NAME, "")
        self._meter, self._watcher.stays_away = Meter(), True
        stand_in = StandIn(registry)

        def first_run() -> None:
            stage.prompt()
            self.connection.known_welcome = words.welcome
            if own_id:
                self._surroundings.be_born(own_id)
            words.hello(self.connection)
            execute = self._next_execute()
            if execute is not None:
                self._run(stand_in, execute)
            self._ran = None

        with Stage(self._welcome, supervisor.json_mode) as stage:
            self.connection = stage.connection
            rehearse(first_run)
        self.connection, self._watcher.stays_away = supervisor, False

    def _be_born(self, template: Template, birth: Birth, words: FirstWords, registry: Registry) -> Optional[int]:
        """In a worker that its template made: an exit code when it cannot serve."""
        self.connection = template.be_born(birth)
        self.connection.known_welcome = words.welcome
        self._channel = None
        try:
            self._domain.enter()
        except OSError as error:
            self.connection.write(words.hello(self.connection))
            self.connection.send(InitFailed(describe(error)))
            return EXIT_INIT_FAILED
        self._surroundings.be_born(birth.worker_id)
        if not (hooks.are_for_forks() or hooks.are_waiting()):
            self.connection.write(words.hello(self.connection) + words.ready)
            return None
        self.connection.write(words.hello(self.connection))
        self._watcher.start()
        self.busy = _LOADING
        try:
            if hooks.are_for_forks():
                self._surroundings.outside_of_runs(hooks.call_after_fork)
            registry.start_hooks()
        except Exception as error:
            self.connection.send(InitFailed(describe(error)))
            return EXIT_INIT_FAILED
        finally:
            streams.flush()
            self.busy = None
        self._say_ready(registry)
        return None

    def _say_ready(self, registry: Registry) -> None:
        # Described before, so that it counts for the first Execute.
        self._describe(registry)
        self.connection.send(Ready(registry.names()))

    def _describe(self, registry: Registry) -> None:
        """Describes the workflows to a supervisor that asks for it, if they are not as they were described before.

        What a template described holds for the workers that it makes.
        """
        if "describe" not in self._terms.features or registry.version == self._described_version:
            return
        self._described_version = registry.version
        messages = list(descriptions(registry.entries(), registry.broken(), self._terms.config.get("workflows_dir")))
        self.connection.write(b"".join(self.connection.encode(one) for one in messages))
        self._described = {one.name for message in messages for one in message.workflows}

    def _next_execute(self) -> Optional[Execute]:
        connection = self.connection
        with connection.reading:
            while True:
                if self._inbox:
                    return self._inbox.popleft()
                if self.draining is not None:
                    connection.send(Goodbye(self.draining))
                    return None
                if connection.ended:
                    return None
                messages = connection.receive()
                if len(messages) == 1 and type(messages[0]) is Execute and self.draining is None:
                    # As nearly always.
                    return messages[0]
                for message in messages:
                    self.dispatch(message)

    def _run(self, registry: Registry, execute: Execute) -> None:
        if self._ran is not None:
            self._put_back(self._ran)
        run_number, execution_id, attempt, workflow, source, params, context, timeout_ms, _ = execute
        connection = self.connection
        port = FramePort(connection, self._terms, run_number, self._read_once)
        execution = Execution(port, run_number, execution_id, attempt, workflow, context, timeout_ms)
        port.execution, execution.late = execution, port.late_log
        if type(source) is Named:
            execution.is_limited = workflow in self._described
        self.port = port
        self.busy = execution
        if self._early_cancel is not None:
            early, self._early_cancel = self._early_cancel, None
            if early.run == run_number:
                self._cancel(early)
        if self._watcher.rests:
            self._watcher.nudge()
        try:
            job = registry.find(workflow, source)
        except Rejection as rejection:
            outcome: Outcome = Rejected(str(rejection))
        else:
            connection.write(connection.started(run_number))
            execution.start_clock()
            outcome = self._surroundings.run(run, execution, job, params)
        self._finish(execution, port, outcome, registry)

    def _finish(self, execution: Execution, port: FramePort, outcome: Outcome, registry: Registry) -> None:
        if self.is_child:
            self._end_child()
        connection = self.connection
        streams.flush()
        execution.close()
        messages, log_records = port.take()
        metrics = self._meter.read(execution.started)
        finished = connection.finished(execution.run, outcome, metrics, log_records)
        if not connection.fits(finished):
            outcome = too_large(len(finished) - FRAME_HEADER_BYTES, connection.frame_max_bytes)
            finished = connection.finished(execution.run, outcome, metrics, log_records)
        if messages:
            finished = b"".join(map(connection.encode, messages)) + finished
        if execution.may_run_on and left_running(execution):
            # Those who wait for the outcome do not wait for what was left behind.
            connection.write(finished)
            finished = b""
            self.recycle_wanted |= stay_behind(execution)
        if not self._serves_once and self._surroundings.garbage_takes_long:
            connection.write(finished)
            finished = b""
            self._collect(execution)
            # What that took is not the next run's.
            self._meter.read(execution.started)
        if registry.recycle_wanted or execution.broke_import:
            self.recycle_wanted = True
        if registry.version != self._described_version:
            self._describe(registry)
        resident = 0 if self._serves_once else resident_bytes()
        idle = connection.idle(execution.run, resident, self.recycle_wanted)
        # Before the supervisor can know that the slot is free, an Execute must not look like a second one.
        self.busy = None
        self.port = None
        port.close()
        interrupt.restore()
        connection.write(finished + idle)
        # The supervisor is busy with the outcome meanwhile.
        if self._serves_once:
            self._ran = execution
        else:
            self._put_back(execution)

    def _collect(self, execution: Execution) -> None:
        self._surroundings.collect(execution)
        if self.is_child:
            self._end_child()

    def _end_child(self) -> None:
        """Ends a child that user code forked and that came back here; the run is the parent's to finish."""
        streams.flush()
        os._exit(EXIT_DONE)

    def _put_back(self, execution: Execution) -> None:
        self._ran = None
        self._collect(execution)
        try:
            self._surroundings.put_back()
        except Exception as error:
            streams.say(f"what execution {execution.execution_id} changed cannot be put back: {error}; this worker leaves")
            self.draining = "its process cannot be put back as it was"

    def _terminated(self) -> None:
        """A SIGTERM that finds no user code running."""
        busy = self.busy
        if isinstance(busy, Execution):
            # On its way in, where it ends at the door, or on its way out, where it has its outcome.
            busy.request_cancel(CancelReason.Shutdown.name, interrupt.TERMINATED)
        elif not self.departure.has_begun:
            self.departure.now(EXIT_DONE)

    def leaves_within(self, code: int, seconds: float) -> bool:
        """Has the watcher end the process then, unless it has ended by itself; False when there is no watcher."""
        return self._watcher.ends_within(code, seconds)

    # Whoever reads the wire, and holds `connection.reading`.

    def read(self) -> None:
        """Reads once beside user code, which must not meet the error of a supervisor that breaks the protocol."""
        try:
            for message in self.connection.receive():
                self.dispatch(message)
        except PeerError as error:
            print(f"the supervisor broke the protocol: {error}", file=sys.stderr)
            self.departure.now(EXIT_PEER_BROKE_PROTOCOL)

    def dispatch(self, message: Any) -> None:
        """Acts on one message."""
        if isinstance(message, Execute):
            self._accept(message)
        elif isinstance(message, Reply):
            port = self.port
            if port is not None and port.calls is not None and self._is_current(message.run):
                port.calls.resolve(message)
        elif isinstance(message, Cancel):
            self._cancel(message)
        elif isinstance(message, Ping):
            self.connection.send(Pong(message.nonce))
        elif isinstance(message, Drain):
            self.draining = message.reason or "drained"
        elif isinstance(message, Welcome) and self.connection.known_welcome is not None:
            # It says something else than its template was told.
            self.connection.known_welcome = None
            self._agree(message)
        elif isinstance(message, Dump):
            self.connection.send(Stacks(message.run, stacks.of_all_threads(self.busy)))
        else:
            raise PeerError(f"{type(message).__name__} came after the handshake")

    def _accept(self, execute: Execute) -> None:
        if isinstance(self.busy, Execution) or self._inbox:
            raise PeerError(f"Execute {execute.run} came while another run is on")
        # One that comes after Drain is refused by not starting it: the supervisor hands it to another worker.
        if self.draining is None:
            self._inbox.append(execute)

    def _is_current(self, run_number: int) -> bool:
        return isinstance(self.busy, Execution) and self.busy.run == run_number

    def _cancel(self, cancel: Cancel) -> None:
        """A cancel for a run that has ended does nothing; one that comes with its Execute is kept."""
        execution = self.busy
        if self._is_current(cancel.run) and isinstance(execution, Execution):
            execution.request_cancel(cancel.reason.name, cancel.message or "cancelled")
            interrupt.wake()
        elif self._inbox and self._inbox[0].run == cancel.run:
            self._early_cancel = cancel
