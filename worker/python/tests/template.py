"""A tiny supervisor of a template: asks it for workers, which are driven as any other."""

from __future__ import annotations

import os
import select
import socket
import uuid
from pathlib import Path
from typing import Any, List, Optional

from muster_worker.wire.messages import FEATURES, TEMPLATE, Forked, ForkFailed, Ready, Exited, Fork, InitFailed

from supervisor import WAIT_SECONDS, Worker


class TemplateProcess(Worker):
    """A process that was given a channel."""

    def __init__(self, workflows_dir: Optional[Path] = None, features: Any = (*FEATURES, TEMPLATE)) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(WAIT_SECONDS)
        variables = {"MUSTER_TEMPLATE_FD": str(theirs.fileno()), "MUSTER_WORKER_ID": uuid.uuid4().hex}
        self.workflows_dir = workflows_dir
        with theirs:
            super().__init__(workflows_dir, features, variables=variables, pass_fds=[theirs.fileno()])

    def __exit__(self, *_: Any) -> None:
        super().__exit__()
        self.channel.close()

    def fork(self) -> Child:
        """A new worker, which has said nothing yet."""
        worker_id = uuid.uuid4().hex
        answer, child = self.ask(worker_id)
        assert isinstance(answer, Forked) and answer.worker_id == worker_id, answer
        data, descriptors, _, _ = socket.recv_fds(self.channel, 1024, 1)
        assert data.decode() == worker_id and child is not None
        child.process = _Process(answer.pid, *child.process.streams, descriptors[0])
        child.worker_id, child.forked = worker_id, answer
        child._read()
        return child

    def ask(self, worker_id: str) -> Any:
        """The answer to a Fork, and the child that is to be."""
        pipes = [os.pipe() for _ in range(3)]
        (stdin, our_stdin), (our_stdout, stdout), (our_stderr, stderr) = pipes
        socket.send_fds(self.channel, [worker_id.encode()], [stdin, stdout, stderr])
        self.send(Fork(worker_id))
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        answer = self.receive()
        while isinstance(answer, Exited):
            answer = self.receive()
        if isinstance(answer, ForkFailed):
            for descriptor in (our_stdin, our_stdout, our_stderr):
                os.close(descriptor)
            return answer, None
        return answer, Child(our_stdin, our_stdout, our_stderr)

    def worker(self) -> Child:
        """A worker that is Ready."""
        child = self.fork()
        child.greet(self.workflows_dir, {})
        child.ready = child.expect(Ready)
        return child


class Child(Worker):
    """A worker that a template has made."""

    worker_id: str
    forked: Forked

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        self.process = _Streams(stdin, stdout, stderr)

    def failed(self) -> InitFailed:
        """What a child that is greeted says instead of Ready."""
        self.greet(None, {})
        answer: InitFailed = self.expect(InitFailed)
        return answer


class _Streams:
    def __init__(self, *streams: int) -> None:
        self.streams = streams


class _Process:
    """As much of `subprocess.Popen` as a driven worker needs."""

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int, descriptor: int) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = open(stdin, "wb", 0), open(stdout, "rb", 0), open(stderr, "rb", 0)
        self._descriptor = descriptor

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        ended, _, _ = select.select([self._descriptor], [], [], seconds)
        assert ended, "the worker does not end"
        return 0


def shown_environment(pid: int) -> List[str]:
    return Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
