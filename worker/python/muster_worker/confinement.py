"""A Landlock domain of its own for each worker that a template makes, so that they do not reach each other.

The supervisor starts a template inside a domain, and what it forks would share that. From a domain of its own a worker
reaches neither its siblings nor the template. Nothing here bounds files: what the template's domain says of them holds.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any, Callable, Dict, Optional

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_DOMAIN_ABI = 2
"""From this version on a domain may be entered without files being moved between folders any less."""
_SCOPE_ABI = 6
"""From this version on signals and abstract sockets stay in the domain."""
_SCOPES = 0b11
_MAKE_BLOCK, _REFER = 1 << 11, 1 << 13

SystemCall = Callable[..., int]


class OwnDomain:
    """Made in the template, where what it needs is loaded once; entered in each child."""

    def __init__(self, config: Dict[str, Any]) -> None:
        self._level = config.get("confinement")
        self._call: Optional[SystemCall] = None
        if self._level in ("scoped", "strict"):
            self._call = _system_call()

    def enter(self) -> None:
        """In a child, while it has one thread. Raises where the level is strict and the kernel refuses."""
        if self._call is None:
            return
        try:
            _enter(self._call)
        except OSError as error:
            if self._level == "strict":
                raise
            print(f"this worker shares a Landlock domain with its template: {error}", file=sys.stderr)


def _enter(call: SystemCall) -> None:
    abi = call(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if abi < _DOMAIN_ABI:
        # The supervisor has said so at its start.
        return
    scopes = abi >= _SCOPE_ABI
    # The fields: rights over files, over the network, and what is bounded to the domain.
    harmless = 0 if scopes else _MAKE_BLOCK | _REFER
    attributes = struct.pack("=QQQ", 0, 0, _SCOPES) if scopes else struct.pack("=Q", harmless)
    ruleset = _checked(call(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        if harmless:
            root = os.open("/", os.O_PATH | os.O_CLOEXEC)
            try:
                _checked(call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", harmless, root), 0))
            finally:
                os.close(root)
        _checked(call(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _system_call() -> SystemCall:
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long

    def checked(number: int, *arguments: Any) -> int:
        wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
        return int(call(ctypes.c_long(number), *wide))

    return checked


def _checked(result: int) -> int:
    if result < 0:
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
