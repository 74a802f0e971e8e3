"""`serve`: sets the process up as a worker, runs the session, and leaves the way it should be left."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

from . import carry, current, forks, streams
from .departure import Departure
from .port import ChildPort
from .session import Session
from .wire.connection import Connection, PeerError
from .wire.limits import EXIT_OUT_OF_MEMORY, EXIT_PEER_BROKE_PROTOCOL, EXIT_SDK_BUG


def serve(json_mode: bool) -> NoReturn:
    """Serves until the supervisor is done with this worker; the exit code is for people."""
    connection = Connection(*streams.take(), json_mode)
    departure = Departure()
    session = Session(connection, departure, bool(os.environ.get("MUSTER_CONFORMANCE")))
    os.register_at_fork(before=streams.flush, after_in_child=lambda: _become_child(session))
    carry.into_threads()
    try:
        code = session.serve()
    except PeerError as error:
        print(f"the supervisor broke the protocol: {error}", file=sys.stderr)
        code = EXIT_PEER_BROKE_PROTOCOL
    except MemoryError:
        streams.say("the worker ran out of memory outside of a workflow")
        code = EXIT_OUT_OF_MEMORY
    except Exception:
        traceback.print_exc()
        code = EXIT_SDK_BUG
    departure.orderly(code, session.leaves_within)


def _become_child(session: Session) -> None:
    """In a child that user code forked: no frames and no watcher."""
    if forks.makes_worker():
        return
    session.is_child = True
    connection = session.connection
    for descriptor in (connection.in_fd, connection.out_fd):
        try:
            os.close(descriptor)
        except OSError:
            continue
    execution = current.current_or_none()
    if execution is not None:
        execution.port = ChildPort()
