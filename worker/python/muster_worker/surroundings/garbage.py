"""What a run leaves for the garbage collector is collected before the next one, so that no finalizer acts in that.

What was loaded is frozen: a collection walks only what came since, and after most runs that is next to nothing. What
globals and caches keep of a run is not frozen, for one day it is let go of.
"""

from __future__ import annotations

import gc
import time
from typing import AbstractSet, Tuple

# Taken before they are watched: see `touched`.
_collect, _freeze, _unfreeze, _stats = gc.collect, gc.freeze, gc.unfreeze, gc.get_stats
_monotonic, _used = time.monotonic, time.thread_time
_MOVING = frozenset(("freeze", "unfreeze"))
_YOUNG, _ALL = 1, 2
"""The oldest generation of a collection."""
_SHARE = 1000
"""One part of so many is what a worker spends of its time on collecting all that is not frozen."""
_LONG_SECONDS = 0.001
_ROUNDS_MAX = 4
"""Finalizers may leave garbage of their own; those that always do are left alone in the end."""


class Garbage:
    """Made before any user code is loaded."""

    def __init__(self, touched: AbstractSet[str]) -> None:
        self._touched = touched
        self.takes_long = False
        """True when nobody should wait for `collect`."""
        self._has_loaded = False
        self._old = (0, 0)
        """How often was collected what makes the rest old. Tells whether something became old meanwhile."""
        self._seconds = 0.0
        """What it took last to collect all that is not frozen."""
        self._due = 0.0
        """When that may be done again."""

    def freeze(self) -> None:
        """What is there now was loaded, and stays."""
        _freeze()
        self._has_loaded = self.takes_long = False
        self._seconds = self._due = 0.0

    def freeze_all(self) -> None:
        """The same, once what was loaded and is of no use any more is gone: many will share what is left."""
        _unfreeze()
        _collect()
        self.freeze()

    def note_import(self) -> None:
        """The run has loaded something that stays."""
        self._has_loaded = self.takes_long = True

    def collect(self) -> None:
        """Collects what the run has left: all that is new, and what is old as often as the time allows."""
        if _monotonic() >= self._due or _collections() != self._old or self._touched or self._has_loaded:
            self._collect_all()
        if _collect(_YOUNG):
            _collect_again(_YOUNG)
        self._old = _collections()

    def _collect_all(self) -> None:
        began, was_moved = _monotonic(), not _MOVING.isdisjoint(self._touched)
        if began < self._due and self._seconds > _LONG_SECONDS and not (was_moved or self._has_loaded):
            return
        if was_moved or self._has_loaded:
            # Also what a run before had loaded, and is of no use any more.
            _unfreeze()
        used = _used()
        if _collect():
            _collect_again(_ALL)
        # Of the processor: on a busy machine the clock counts what others did meanwhile.
        self._seconds = _used() - used
        self._due = _monotonic() + self._seconds * _SHARE
        self.takes_long = self._seconds > _LONG_SECONDS
        if was_moved or self._has_loaded:
            self.freeze()


def _collections() -> Tuple[int, int]:
    _, young, all_of_it = _stats()
    return young["collections"], all_of_it["collections"]


def _collect_again(generation: int) -> None:
    for _ in range(_ROUNDS_MAX):
        if not _collect(generation):
            return
