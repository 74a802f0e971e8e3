"""How numbers come about: decimal's contexts, and the generators of random numbers."""

from __future__ import annotations

import contextvars
import decimal
import os
import sys
from types import ModuleType
from typing import Any, Callable, Dict, List

from .. import on_import

_MERSENNE_BYTES = 2496
"""What the generator of `numpy.random` holds: as random as can be when all of it is."""
_ALL_USED = (_MERSENNE_BYTES // 4).to_bytes(4, sys.byteorder)
_SEEDERS = {"random": ("seed", "setstate"), "numpy.random": ("seed", "set_state")}
"""By module: what makes its generator predictable. The first, called with nothing, makes it random again."""


class Numbers:
    """A generator that a run has seeded would give the next run the same numbers again."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.context_is_shared = False
        """True when decimal's context was made while modules were loaded, and a copy of a context would share it."""
        self._touched: Dict[str, Callable[[], Any]] = {}
        self._seed: Callable[[], None] = _nothing
        for module in _SEEDERS:
            on_import.when_imported(module, self._watch)

    def note(self, context: contextvars.Context) -> None:
        """From now on this is how it should be."""
        self._touched.clear()
        self.look_at(context)

    def look_at(self, context: contextvars.Context) -> None:
        """Finds out whether decimal's context is in what every run gets a copy of."""
        self.context_is_shared = any(variable.name == "decimal_context" for variable in context)

    def copy_context(self) -> None:
        """In a run's context: makes decimal's own."""
        decimal.setcontext(decimal.getcontext().copy())

    def put_back(self) -> None:
        """Makes it as it was noted; a generator that was seeded begins anew, with a seed of the system's."""
        while self._touched:
            self._touched.popitem()[1]()

    def expect_births(self) -> None:
        """In a template: makes ready what seeds the generator of numpy in each of its workers."""
        numpy = sys.modules.get("numpy.random")
        if numpy is not None:
            self._seed = _seeder_of(numpy)

    def seed_anew(self) -> None:
        """In a worker that its template made: all of them would have the same numbers. `random` sees to itself."""
        self._seed()
        self._touched.clear()

    def _watch(self, module: ModuleType) -> None:
        names = _SEEDERS[module.__name__]
        plain: List[Callable[..., Any]] = [getattr(module, name) for name in names]
        for name, function in zip(names, plain):
            setattr(module, name, self._noting(module.__name__, function, plain[0]))

    def _noting(self, module: str, function: Callable[..., Any], seed: Callable[[], Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **keywords: Any) -> Any:
            self._touched[module] = seed
            self._note(module)
            return function(*arguments, **keywords)

        noted.__name__, noted.__doc__ = function.__name__, function.__doc__
        return noted


def _nothing() -> None:
    """Where there is no generator that a fork copies."""


def _seeder_of(numpy: Any) -> Callable[[], None]:
    """What seeds the generator behind the functions of `numpy.random`: numpy itself takes thirty times as long."""
    try:
        # It also keeps every second number of a normal distribution; seeded, it keeps none.
        numpy.seed()
        generator = numpy.get_bit_generator()
        memory = _memory_of(generator)
    except Exception:
        # An older numpy, or a generator that somebody has put in its place.
        return _seed_plainly

    def seed() -> None:
        memory[:] = os.urandom(_MERSENNE_BYTES) + _ALL_USED

    return seed


def _memory_of(generator: Any) -> memoryview:
    """Where a Mersenne twister keeps its words and how many of them are used, if that is where it should be."""
    import ctypes

    size = _MERSENNE_BYTES + len(_ALL_USED)
    memory = memoryview((ctypes.c_char * size).from_address(generator.ctypes.state_address)).cast("B")
    state = generator.state
    told = state["state"]["key"].tobytes() + state["state"]["pos"].to_bytes(len(_ALL_USED), sys.byteorder)
    if state["bit_generator"] != "MT19937" or memory.tobytes() != told:
        raise TypeError("it is another generator")
    return memory


def _seed_plainly() -> None:
    sys.modules["numpy.random"].seed()
