"""What a fork is for: a child of user code, which is no worker any more, or a worker that its template makes."""

from __future__ import annotations

import os
import sys
import threading
from typing import List

_makes_worker = False


def make_worker() -> int:
    """Forks; what the SDK does in children of user code is left out in this one."""
    global _makes_worker
    _makes_worker = True
    try:
        return os.fork()
    finally:
        _makes_worker = False


def makes_worker() -> bool:
    """For what is registered to be done around every fork."""
    return _makes_worker


def end_threads_that_end_for_a_fork() -> None:
    """Some libraries, as those under numpy, end their threads before a fork and start them again when they are used.

    A fork for nothing tells them from threads that nobody ends.
    """
    child = make_worker()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def other_threads() -> List[str]:
    """The names of the threads beside this one, of Python or not. None of them would be there in a child."""
    # Beside itself and its parent the folder has one link for each thread.
    if os.stat("/proc/self/task").st_nlink == 3:
        return []
    own = threading.get_native_id()
    others = [int(one) for one in os.listdir("/proc/self/task") if int(one) != own]
    known = {thread.native_id: thread.name for thread in threading.enumerate()} if others else {}
    return [known.get(one) or _name_of(one) for one in others]


def _name_of(thread: int) -> str:
    try:
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as name:
            return f"{name.read().strip()}, not started by Python"
    except OSError:
        return f"thread {thread}"


def are_possible() -> bool:
    """True where the system has all that a template needs."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")
