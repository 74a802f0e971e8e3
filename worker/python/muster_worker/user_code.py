"""What code is the user's own: modules of the workflows folder, and code that came with its execution."""

from __future__ import annotations

from types import FrameType, ModuleType

_MARK = "__muster_user_code__"


def mark(module: ModuleType) -> None:
    """Says so of a module, before its code runs."""
    vars(module)[_MARK] = True


def is_user_code(frame: FrameType) -> bool:
    """True for a frame of user code."""
    return _MARK in frame.f_globals


def runs_user_code(frame: FrameType) -> bool:
    """True when the frame or one that called it is user code."""
    at = frame
    while not is_user_code(at):
        if at.f_back is None:
            return False
        at = at.f_back
    return True
