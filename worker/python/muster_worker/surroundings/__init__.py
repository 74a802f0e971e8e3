"""The process as a run finds it: what user code changed is put back after the run.

Two kinds. The process itself (`Process`, `Streams`, `Signals`) is as it was before any user code was loaded. What
libraries keep (`Aspect`s) is as it was when all was loaded, and what a module sets while it is imported later stays,
as the module does. Variables of a context are a run's own: it works in a copy.

Not put back is what nobody can tell from work: globals of modules, caches, monkeypatches.
"""

from __future__ import annotations

import contextvars
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Tuple, TypeVar

from .. import identity, logs, on_import, temporary
from ..current import carried
from ..hooks import INLINE_MODULE
from .aspect import Aspect, CannotPutBack
from .environment import Environment
from .faults import Faults
from .garbage import Garbage
from .glance import Glance
from .interpreter import Interpreter, Streams
from .kernel import Kernel
from .libraries import Libraries
from .loggers import Loggers
from .names import Builtins
from .numbers import Numbers
from .process import Process
from .rank import Rank
from .registries import Registries
from .signals import Signals
from .timers import Timers
from .touched import Touched

if TYPE_CHECKING:
    from ..execution import Execution

_Result = TypeVar("_Result")
_set_carried = carried.set
_tzset: Callable[[], None] = getattr(time, "tzset", lambda: None)


class Surroundings:
    """Made when the worker has set itself up, and before any user code is loaded."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._process, self._streams, self._signals, self._rank = Process(), Streams(), Signals(), Rank()
        self._touched, self._kernel = Touched(), Kernel()
        self._garbage = Garbage(self._touched.by)
        note = self._touched.by.add
        self._faults = Faults(note)
        self._numbers = Numbers(note)
        self._registries = Registries(note)
        self._libraries, self._loggers = Libraries(), Loggers(logs.handler, note)
        self._glance, self._timers = Glance(), Timers()
        self._environment, self._builtins = Environment(note), Builtins()
        temporary.watch()
        self._aspects: Tuple[Aspect, ...] = (self._builtins, self._environment, Interpreter(), self._loggers, self._libraries)

    def load(self, load: Callable[[], _Result]) -> _Result:
        """Loads user code; what it sets is what every run finds."""
        try:
            return self._context.run(load)
        finally:
            self._put_process_back()
            self._kernel.accept()
            for aspect in self._aspects:
                aspect.note()
            self._numbers.note(self._context)
            self._registries.note()
            self._timers.note()
            self._settle()
            self._garbage.freeze()
            on_import.around_imports(self._import)

    def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Calls it in a context of its own."""
        context = self._context.copy()
        if self._numbers.context_is_shared:
            context.run(self._numbers.copy_context)
        try:
            return context.run(function, *arguments)
        finally:
            if self._builtins.are_touched:
                self._builtins.put_back()

    def expect_births(self) -> None:
        """In a template, before it makes workers."""
        self._numbers.expect_births()
        # Found out once for all of them: it takes a look at every module.
        self._touched.has_foreign_code()
        self._settle()

    def be_born(self, worker_id: str) -> None:
        """In a worker that its template made: streams, id and random numbers are its own."""
        folder = temporary.of_worker(worker_id)
        self._environment.own(identity.NAME, worker_id)
        if folder is not None:
            self._environment.own(temporary.VARIABLE, folder)
        self._process.be_born()
        self._timers.be_born()
        self._kernel.be_born()
        self._numbers.seed_anew()

    def outside_of_runs(self, function: Callable[[], None]) -> None:
        """Calls what belongs to the process: what it sets is what every run finds."""
        on_import.outermost(function)

    def freeze(self) -> None:
        """In a template, when it is all that it will be."""
        self._garbage.freeze_all()

    @property
    def garbage_takes_long(self) -> bool:
        """True when nobody should wait for what `collect` does."""
        return self._garbage.takes_long

    def collect(self, execution: Execution) -> None:
        """Collects what the execution left. What its finalizers log is of it, and their calls are refused: it is closed."""
        _set_carried(execution)
        # Else it would be there until the next one of its kind, and frozen if the run has loaded something.
        sys.modules.pop(INLINE_MODULE, None)
        try:
            self._garbage.collect()
        finally:
            _set_carried(None)

    def put_back(self) -> None:
        """Makes everything as it was noted. After most runs it is, and to see that costs little."""
        self._process.put_back()
        touched = self._touched
        # Besides what is noted when it is called, what user code changes without a call.
        if touched.by or not (
            self._glance.is_as_noted() and self._loggers.are_as_noted() and self._libraries.are_as_noted()
        ):
            self._put_all_back()
        elif touched.has_foreign_code():
            # What Python keeps for itself only Python code changes.
            self._process.look()
            self._process.look_at_limits()
            self._signals.put_back()
            if self._kernel.may_differ:
                self._kernel.put_back()
                self._rank.put_back()
            self._libraries.put_back()
            self._timers.refuse_deadly()
        temporary.forget()

    def _put_all_back(self) -> None:
        self._put_process_back()
        self._process.look_at_limits()
        self._kernel.put_back()
        self._rank.put_back()
        for aspect in self._aspects:
            aspect.put_back()
        self._numbers.put_back()
        self._registries.put_back()
        if "tzset" in self._touched.by:
            # By the variables as they are now.
            _tzset()
        if self._touched.for_good:
            names = " and ".join(sorted(self._touched.for_good))
            raise CannotPutBack(f"it called {names}, which stays as long as the process")
        if self._touched.has_foreign_code():
            self._timers.refuse_deadly()
        self._settle()

    def _settle(self) -> None:
        self._glance.note()
        self._touched.by.clear()
        self._touched.for_good.clear()

    def _put_process_back(self) -> None:
        self._process.put_back()
        self._streams.put_back()
        self._process.look()
        self._signals.put_back()
        self._faults.put_back()

    def _import(self, load: Callable[[], None]) -> None:
        """An import in the middle of a run: what it sets is kept, what the run has set is not."""
        on_import.around_imports(None)
        try:
            before, by_the_run = [aspect.read() for aspect in self._aspects], set(self._touched.for_good)
            entered = self._registries.set_aside()
            try:
                self._context.run(load)
            finally:
                self._registries.take_back(entered)
            self._touched.for_good.intersection_update(by_the_run)
            for aspect, values in zip(self._aspects, before):
                aspect.adopt(values)
            self._numbers.look_at(self._context)
            self._glance.forget()
            self._garbage.note_import()
        finally:
            on_import.around_imports(self._import)
