"""Parameters to arguments: bound by the function's signature, checked against its annotations.

All problems are told in one message. A function whose only parameter is called `params` gets the
parameters whole, whatever JSON they are.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from typing import Any, Callable, Dict, List, Tuple

from .conversion import Mismatch, convert
from .errors import InvalidParameters

_EMPTY = inspect.Parameter.empty


class Signature:
    """What a workflow function takes. Read on first use: at decoration its types may not exist yet."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._parameters: Dict[str, inspect.Parameter] = {}
        self._types: Dict[str, Any] = {}
        self._read = False
        self.takes_whole = False

    def _load(self) -> None:
        self._parameters = dict(inspect.signature(self._function).parameters)
        try:
            self._types = typing.get_type_hints(self._function)
        except Exception:
            # An annotation that cannot be evaluated is documentation; the parameter is not checked.
            self._types = {}
        names = [name for name, one in self._parameters.items() if one.kind is not one.VAR_KEYWORD]
        self.takes_whole = names == ["params"] and len(self._parameters) == 1
        self._read = True

    def bind(self, workflow: str, params: Any) -> Tuple[List[Any], Dict[str, Any]]:
        """Positional and keyword arguments for a call."""
        if not self._read:
            self._load()
        if self.takes_whole:
            return [params], {}
        if params is None:
            params = {}
        if not isinstance(params, dict):
            raise InvalidParameters(
                f"workflow {workflow!r} takes named parameters ({self._describe()}): "
                f"send a JSON object, not {_json_name(params)}"
            )
        return self._bind_object(workflow, params)

    def _bind_object(self, workflow: str, params: Dict[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
        positional: List[Any] = []
        keywords: Dict[str, Any] = {}
        problems: List[str] = []
        rest = dict(params)
        takes_any = False
        for name, parameter in self._parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                takes_any = True
            elif parameter.kind is parameter.VAR_POSITIONAL:
                continue
            elif name in rest:
                value = self._checked(name, rest.pop(name), problems)
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    positional.append(value)
                else:
                    keywords[name] = value
            elif parameter.default is _EMPTY:
                problems.append(f"{name!r} is missing")
        if takes_any:
            keywords.update(rest)
        else:
            problems.extend(self._unexpected(name) for name in rest)
        if problems:
            raise InvalidParameters(f"workflow {workflow!r}: " + "; ".join(problems) + f" (it takes: {self._describe()})")
        return positional, keywords

    def _checked(self, name: str, value: Any, problems: List[str]) -> Any:
        try:
            return convert(self._types.get(name, Any), value, name)
        except Mismatch as mismatch:
            problems.append(str(mismatch))
            return value

    def _unexpected(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._parameters, n=1)
        return f"{name!r} is not a parameter" + (f", did you mean {near[0]!r}?" if near else "")

    def _describe(self) -> str:
        return ", ".join(_describe(one) for one in self._parameters.values()) or "no parameters"


def _describe(parameter: inspect.Parameter) -> str:
    # An annotation that is still text (from __future__ import annotations) would be shown in quotes.
    plain = parameter.annotation
    text = str(parameter.replace(annotation=_EMPTY))
    if plain is _EMPTY:
        return text
    name, equals, default = text.partition("=")
    kind = plain if isinstance(plain, str) else inspect.formatannotation(plain)
    return f"{name}: {kind}" + (f" = {default}" if equals else "")


def _json_name(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
