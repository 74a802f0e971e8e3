"""A template: a process that has loaded the user code and runs none of it, but makes workers of itself by a fork.

It speaks frames as a worker does. The descriptors of a new worker come over a socket beside them, the channel, and over
it goes the descriptor by which the supervisor knows the worker's process. See `Template workers` in SPEC.md.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import forks, huge_pages
from .identity import ShownIdentity
from .registry import Registry
from .wire import quick
from .wire.connection import Connection, PeerError
from .wire.limits import EXIT_DONE
from .wire.messages import Execute, Fork, ForkFailed, Goodbye

if TYPE_CHECKING:
    from .session import Session

_ENVIRONMENT = "MUSTER_TEMPLATE_FD"
_STREAMS = 3
_ID_MAX_BYTES = 1024
_LOOK_SECONDS = 0.25
"""Whether files have changed is looked at this often at most, while there is work."""
_CORE_DUMPED = 0x80
_RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
_descriptor = struct.Struct("i")
_RIGHTS_BYTES = socket.CMSG_SPACE(_STREAMS * _descriptor.size)


class Birth(NamedTuple):
    """What a child is given: its streams, and its id."""

    worker_id: str
    stdin: int
    stdout: int
    stderr: int


def take_channel() -> Optional[socket.socket]:
    """The channel, if the supervisor gave this process one; user code and its children never see it."""
    number = os.environ.pop(_ENVIRONMENT, "")
    if not number.isdigit():
        return None
    try:
        os.set_inheritable(int(number), False)
        channel = socket.socket(fileno=int(number))
    except OSError:
        return None
    if not forks.are_possible():
        channel.close()
        return None
    return channel


class Template:
    """Made when the user code is loaded and the process has no threads of its own."""

    def __init__(self, session: Session, channel: socket.socket, registry: Registry, freeze: Callable[[], None]) -> None:
        self._session = session
        self._channel = channel
        self._registry = registry
        self._identity = ShownIdentity()
        self._children: Dict[int, int] = {}
        """The number of each child's process, by the descriptor that tells of its end."""
        self._poll = select.poll()
        self._is_stale, self._looked_at = False, time.monotonic()
        forks.end_threads_that_end_for_a_fork()
        # What is there now is neither looked through nor moved by the collector of any child, so it stays shared.
        freeze()
        huge_pages.collapse()

    def serve(self) -> Tuple[Optional[int], Optional[Birth]]:
        """Serves until the supervisor says so or is gone: the exit code. In a child: what it was born with."""
        session, connection = self._session, self._session.connection
        self._poll.register(connection.in_fd, select.POLLIN)
        connection.usual = quick.fork_of
        with connection.reading:
            while not connection.ended:
                if session.draining is not None:
                    connection.send(Goodbye(session.draining))
                    break
                for descriptor, _ in self._poll.poll():
                    if descriptor != connection.in_fd:
                        self._bury(descriptor)
                        continue
                    for message in connection.receive():
                        birth = self._take(message)
                        if birth is not None:
                            return None, birth
        return EXIT_DONE, None

    def _take(self, message: object) -> Optional[Birth]:
        if isinstance(message, Fork):
            return self._fork(message.worker_id)
        if isinstance(message, Execute):
            raise PeerError("an Execute came to a template")
        self._session.dispatch(message)
        return None

    def _fork(self, worker_id: str) -> Optional[Birth]:
        connection = self._session.connection
        streams = self._receive_streams()
        try:
            problem = self._problem(streams)
            if problem is not None:
                connection.send(ForkFailed(worker_id, problem))
                return None
            self._look_at_files()
            try:
                pid = forks.make_worker()
            except OSError as error:
                connection.send(ForkFailed(worker_id, f"the system refuses a process: {error}"))
                return None
            if pid == 0:
                birth = Birth(worker_id, *streams)
                streams = []
                return birth
            self._tell(worker_id, pid)
            return None
        finally:
            for descriptor in streams:
                os.close(descriptor)

    def _receive_streams(self) -> List[int]:
        # What `socket.recv_fds` does, without the import and the array that it makes each time.
        _, rights, _, _ = self._channel.recvmsg(_ID_MAX_BYTES, _RIGHTS_BYTES, socket.MSG_CMSG_CLOEXEC)
        known = [data for level, kind, data in rights if (level, kind) == _RIGHTS]
        return [one for data in known for (one,) in _descriptor.iter_unpack(data)]

    def _problem(self, streams: List[int]) -> Optional[str]:
        if len(streams) != _STREAMS:
            return "the descriptors of the worker did not arrive: raise `ulimit -n`"
        threads = forks.other_threads()
        if threads:
            return (
                f"{len(threads) + 1} threads: beside its own there is {', '.join(threads)}, started while the workflows "
                "were loaded, and a fork would lose it; start it in a function marked @on_worker_start or @after_fork"
            )
        return None

    def _tell(self, worker_id: str, pid: int) -> None:
        """Tells the supervisor of a child. It leads a group of its own before anybody can signal it."""
        try:
            os.setpgid(pid, pid)
        except OSError:
            # It has done so itself, or is gone already.
            pass
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = pid
        self._poll.register(descriptor, select.POLLIN)
        self._channel.sendmsg([worker_id.encode()], [(*_RIGHTS, _descriptor.pack(descriptor))])
        connection = self._session.connection
        connection.write(connection.forked(worker_id, pid, self._is_stale))

    def _bury(self, descriptor: int) -> None:
        """A child has ended. It is told of before it is reaped: if this process dies between, nothing is lost."""
        pid = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        if ended is not None:
            connection = self._session.connection
            connection.write(connection.exited(pid, _wait_status(ended)))
        os.waitpid(pid, 0)

    def _look_at_files(self) -> None:
        now = time.monotonic()
        if not self._is_stale and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._is_stale = not self._registry.is_current()

    def be_born(self, birth: Birth) -> Connection:
        """In a child: makes the process a worker with streams of its own; its connection to the supervisor."""
        # The template does so, too, whoever of them is first.
        os.setpgid(0, 0)
        self._identity.become(birth.worker_id)
        os.close(self._channel.detach())
        for descriptor in self._children:
            os.close(descriptor)
        self._children.clear()
        inherited = self._session.connection
        os.dup2(birth.stderr, 2)
        os.dup2(birth.stderr, 1)
        os.dup2(birth.stdin, inherited.in_fd, inheritable=False)
        os.dup2(birth.stdout, inherited.out_fd, inheritable=False)
        for descriptor in (birth.stdin, birth.stdout, birth.stderr):
            os.close(descriptor)
        connection = Connection(inherited.in_fd, inherited.out_fd, inherited.json_mode)
        connection.frame_max_bytes = inherited.frame_max_bytes
        return connection


def _wait_status(ended: os.waitid_result) -> int:
    """As `waitpid` gives it."""
    if ended.si_code == os.CLD_EXITED:
        return (ended.si_status & 0xFF) << 8
    return ended.si_status | (_CORE_DUMPED if ended.si_code == os.CLD_DUMPED else 0)
