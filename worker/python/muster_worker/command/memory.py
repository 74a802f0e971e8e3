"""The supervisor's part of a run in a terminal: configuration as given, state in memory, and submits that only show."""

from __future__ import annotations

import json
import uuid
from typing import Any, Dict

from ..port import Answer
from ..wire.messages import ErrorInfo
from .terminal import Terminal, as_json


class Memory:
    """Answers calls, and tells what is lost with the process."""

    def __init__(self, terminal: Terminal, config: Dict[str, Any], state: Dict[str, Any]) -> None:
        self._terminal = terminal
        self._config = config
        self._state = state

    def answer(self, method: str, params: Any) -> Answer:
        """The answer to one call."""
        value: Any = None
        if method == "config.get":
            value = self._config.get(params["key"])
        elif method == "state.get":
            value = self._state.get(params["key"])
        elif method == "state.set":
            self._state[params["key"]] = params["value"]
            self._terminal.say(f"state {params['key']} = {as_json(params['value'])}")
        elif method == "state.delete":
            self._state.pop(params["key"], None)
            self._terminal.say(f"state {params['key']} deleted")
        elif method == "execution.submit":
            value = {"execution_id": str(uuid.uuid4())}
            self._terminal.say(f"submit {params['workflow']} {as_json(params['params'])} (not run here)")
        else:
            return None, ErrorInfo("UnknownMethod", f"there is no method {method!r}")
        return json.dumps(value).encode(), None

    def remember(self, method: str, params: Any, answered: bytes) -> None:
        """What a supervisor answered, and what it was told, counts here too."""
        if method == "state.get":
            self._state[params["key"]] = json.loads(answered) if answered else None
        elif method == "state.set":
            self._state[params["key"]] = params["value"]
        elif method == "state.delete":
            self._state.pop(params["key"], None)
