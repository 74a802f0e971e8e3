"""`serve`: sets the process up as a worker, runs the session, and leaves the way it should be left."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import Optional

from . import carry, current, interrupt, streams
from .port import ChildPort
from .session import Session
from .wire.connection import Connection, PeerError
from .wire.limits import EXIT_PEER_BROKE_PROTOCOL

_EXIT_SECONDS = 1.0


def serve(json_mode: bool) -> int:
    """Serves until the supervisor is done with this worker; returns the exit code."""
    connection = Connection(*streams.take(), json_mode)
    conformance = bool(os.environ.get("MUSTER_CONFORMANCE"))
    session = Session(connection, conformance)
    os.register_at_fork(before=streams.flush, after_in_child=lambda: _become_child(connection))
    carry.into_thread_pools()
    try:
        code = session.serve()
    except PeerError as error:
        print(f"the supervisor broke the protocol: {error}", file=sys.stderr)
        code = EXIT_PEER_BROKE_PROTOCOL
    # What user code registered with atexit gets a moment; threads it left running get none.
    _exit_later(session, code)
    atexit._run_exitfuncs()
    session.exit(code)


def _exit_later(session: Session, code: int) -> None:
    timer = threading.Timer(_EXIT_SECONDS, session.exit, (code,))
    timer.daemon = True
    timer.start()


def _become_child(connection: Connection) -> None:
    """In a child that user code forked: no frames, no watcher, ordinary signals."""
    for descriptor in (connection.in_fd, connection.out_fd):
        try:
            os.close(descriptor)
        except OSError:
            continue
    interrupt.reset_in_child()
    execution = current.current_or_none()
    if execution is not None:
        execution.port = ChildPort()
