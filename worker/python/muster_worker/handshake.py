"""Hello and Welcome: what both sides speak and can do, settled before any user code is loaded."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .version import __version__
from .wire.connection import Connection, PeerError
from .wire.limits import PROTOCOL_VERSION
from .wire.messages import FEATURES, TEMPLATE, Hello, Level, Welcome


class NoCommonVersion(Exception):
    """The supervisor speaks no version that this worker does."""


class Terms(NamedTuple):
    """What was settled."""

    features: List[str]
    log_level: Level
    config: Dict[str, Any]


def hello(is_template: bool) -> Hello:
    """What this process says of itself."""
    names = ("muster-worker-python", __version__, "python")
    features = [*FEATURES, TEMPLATE] if is_template else list(FEATURES)
    return Hello(PROTOCOL_VERSION, PROTOCOL_VERSION, *names, os.getpid(), features)


def greet(connection: Connection, is_template: bool) -> Optional[Tuple[Welcome, List[Any]]]:
    """Says Hello and waits for Welcome; returns what came with it too, or None when the supervisor leaves instead."""
    connection.send(hello(is_template))
    messages: List[Any] = []
    while not messages:
        messages = connection.receive()
        if connection.ended:
            return None
    welcome = messages[0]
    if not isinstance(welcome, Welcome):
        raise PeerError(f"{type(welcome).__name__} came where Welcome was due")
    if welcome.protocol != PROTOCOL_VERSION:
        raise NoCommonVersion(
            f"the supervisor chose protocol version {welcome.protocol}; this worker speaks {PROTOCOL_VERSION}"
        )
    connection.frame_max_bytes = min(welcome.max_frame_bytes, connection.frame_max_bytes)
    return welcome, messages[1:]


def terms_of(welcome: Welcome) -> Terms:
    """What was settled by a Welcome."""
    return Terms(welcome.features, welcome.log_level, _config(welcome.config))


def _config(text: bytes) -> Dict[str, Any]:
    try:
        config = json.loads(text) if text else {}
    except ValueError as error:
        raise PeerError(f"the config of Welcome is not JSON: {error}") from None
    return config if isinstance(config, dict) else {}
