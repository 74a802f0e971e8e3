"""What every thread and coroutine is doing, as text: the answer to Dump."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any, Set

from .errors import is_own

of_the_sdk: Set[int] = set()
"""Threads that do nothing that anybody asks about."""


def of_all_threads(busy: Any) -> str:
    """The stacks of all threads but the caller's, user code's frames only, main thread first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    main = threading.main_thread().ident
    here = threading.get_ident()
    parts = []
    for ident, frame in sorted(sys._current_frames().items(), key=lambda item: item[0] != main):
        if ident in of_the_sdk or (ident == here and ident != main):
            continue
        frames = [one for one in traceback.extract_stack(frame) if not _is_machinery(one.filename)]
        body = "".join(traceback.format_list(frames)) or "  (no user code)\n"
        parts.append(f"Thread {names.get(ident, 'unknown')} ({ident}):\n{body}")
    return "\n".join(parts) + _of_tasks(getattr(busy, "loop", None))


def _is_machinery(filename: str) -> bool:
    return is_own(filename) or filename.startswith("<frozen runpy>") or filename.endswith("/runpy.py")


def _of_tasks(loop: Any) -> str:
    """The coroutines of a running loop, down to what each awaits."""
    if loop is None:
        return ""
    import asyncio

    try:
        tasks = asyncio.all_tasks(loop)
    except RuntimeError:
        # The set changed while we looked, again and again; the threads must do.
        return ""
    return "".join(f"\nTask {task.get_name()}:\n{_of_coroutine(task.get_coro())}" for task in tasks)


def _of_coroutine(coroutine: Any) -> str:
    lines = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and not _is_machinery(frame.f_code.co_filename):
            summary = traceback.StackSummary.extract([(frame, frame.f_lineno)])
            lines.extend(summary.format())
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return "".join(lines) or "  (running)\n"
