"""What the kernel keeps of a process and only C code sets: its name, whether it can be traced, its slack of timers and the like.

Nobody can tell from Python that C code was called. But it is called by libraries that somebody has opened with `ctypes`, or
by a few modules; before the first of them is there it is noted how all is, and from then on it is looked at after each run.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from types import ModuleType
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from .. import on_import
from .aspect import CannotPutBack

_OWN = __name__.partition(".")[0] + "."
_MODULES = ("_cffi_backend", "psutil._psutil_linux", "setproctitle._setproctitle", "setproctitle", "_prctl")
"""Those that change it without `ctypes`."""
_BY_VALUE = {"PR_SET_DUMPABLE": (3, 4), "PR_SET_KEEPCAPS": (7, 8), "PR_SET_TIMERSLACK": (30, 29), "PR_SET_THP_DISABLE": (42, 41)}
_BY_ADDRESS = {"PR_SET_PDEATHSIG": (2, 1), "PR_SET_CHILD_SUBREAPER": (37, 36)}
_FOR_GOOD = {"PR_SET_SECCOMP": 21, "PR_SET_NO_NEW_PRIVS": 39}
_SET_NAME, _GET_NAME, _NAME_BYTES = 15, 16, 16
_IOPRIO = {"x86_64": (252, 251), "aarch64": (31, 30)}
"""The numbers of the calls that ask and say for whom a process reads and writes; glibc has no functions for them."""
_IOPRIO_OF_PROCESS = 1
_ASK_PERSONALITY = 0xFFFFFFFF


class _Kept(NamedTuple):
    """One thing, how it is read, and how it is set; None for what cannot be taken back."""

    name: str
    read: Callable[[], Any]
    write: Optional[Callable[[Any], Any]]


class Kernel:
    """Made before any user code is loaded; asks nothing before there is C code that may change it."""

    def __init__(self) -> None:
        self._is_noted = False
        self._all: List[_Kept] = []
        self._noted: Tuple[Any, ...] = ()
        on_import.when_imported("ctypes", self._watch)
        for name in _MODULES:
            on_import.when_imported(name, self._note_first)

    @property
    def may_differ(self) -> bool:
        """True once there is such C code."""
        return bool(self._all)

    def be_born(self) -> None:
        """A fork keeps some of it from the child."""
        self._noted = self._read()

    def accept(self) -> None:
        """User code is loaded: what that did is put back, as far as it can be."""
        for kept, wanted in zip(self._all, self._noted):
            if kept.write is not None and kept.read() != wanted:
                kept.write(wanted)
        self._noted = self._read()

    def put_back(self) -> None:
        """Makes it as it was noted."""
        if self._read() == self._noted:
            return
        for kept, wanted in zip(self._all, self._noted):
            if kept.read() == wanted:
                continue
            if kept.write is not None:
                kept.write(wanted)
            if kept.read() != wanted:
                raise CannotPutBack(f"what it asked the kernel for cannot be taken back ({kept.name})")

    def _read(self) -> Tuple[Any, ...]:
        return tuple([kept.read() for kept in self._all])

    def _watch(self, ctypes: ModuleType) -> None:
        """Before anybody calls a library he has opened it."""
        library: Any = vars(ctypes)["CDLL"]
        plain = library.__init__

        def opened(self: Any, *arguments: Any, **keywords: Any) -> None:
            # Not when it is the SDK's own doing.
            if not str(sys._getframe(1).f_globals.get("__name__")).startswith(_OWN):
                note(ctypes)
            plain(self, *arguments, **keywords)

        note, opened.__doc__ = self._note_first, plain.__doc__
        library.__init__ = opened

    def _note_first(self, _: ModuleType) -> None:
        if self._is_noted:
            return
        # First, as what follows opens a library too.
        self._is_noted = True
        import ctypes

        # Of the kind that does not let another thread go on meanwhile.
        self._all = _all_of(ctypes, ctypes.PyDLL(None))
        self._noted = self._read()


def _all_of(ctypes: Any, library: Any) -> List[_Kept]:
    if not hasattr(library, "prctl"):
        return []
    prctl = library.prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    number, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    at_number, at_name = ctypes.addressof(number), ctypes.addressof(name)

    def by_address(option: int) -> int:
        prctl(option, at_number, 0, 0, 0)
        return int(number.value)

    def read_name() -> bytes:
        prctl(_GET_NAME, at_name, 0, 0, 0)
        return bytes(name.value)

    def write_name(wanted: bytes) -> None:
        name.value = wanted
        prctl(_SET_NAME, at_name, 0, 0, 0)

    found = [_Kept("PR_SET_NAME", read_name, write_name)]
    for what, (get, put) in _BY_VALUE.items():
        found.append(_Kept(what, partial(prctl, get, 0, 0, 0, 0), lambda wanted, put=put: prctl(put, wanted, 0, 0, 0)))  # type: ignore[misc]
    for what, (get, put) in _BY_ADDRESS.items():
        found.append(_Kept(what, partial(by_address, get), lambda wanted, put=put: prctl(put, wanted, 0, 0, 0)))  # type: ignore[misc]
    found += [_Kept(what, partial(prctl, get, 0, 0, 0, 0), None) for what, get in _FOR_GOOD.items()]
    personality = library.personality
    personality.argtypes = [ctypes.c_ulong]
    found.append(_Kept("personality", partial(personality, _ASK_PERSONALITY), personality))
    machine = os.uname().machine
    if machine in _IOPRIO:
        get, put = _IOPRIO[machine]
        call = library.syscall
        call.argtypes = [ctypes.c_long] * 4
        found.append(_Kept("ioprio_set", partial(call, get, _IOPRIO_OF_PROCESS, 0, 0), lambda wanted: call(put, _IOPRIO_OF_PROCESS, 0, wanted)))
    return found
