"""Parameters to arguments: bound by the function's signature, checked against its annotations.

All problems are told in one message. A function whose only parameter is called `params` gets the
parameters whole, whatever JSON they are.
"""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Callable, Dict, List, Tuple

from . import hints
from .conversion import Mismatch, convert
from .errors import InvalidParameters
from .params import Digits, read_params
from .schema import schema_of

_EMPTY = inspect.Parameter.empty
_ONE_VALUE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """What a workflow function takes. Read on first use: at decoration its types may not exist yet."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._parameters: Dict[str, inspect.Parameter] = {}
        self._named: List[Tuple[str, bool, Any]] = []
        """Of each parameter that is given by its name: whether it is positional-only, and its default."""
        self._others = ""
        """The name of `**others`, if there is such a parameter."""
        self._types: Dict[str, Any] = {}
        self._digits = Digits.OF_DOUBLES
        self._read = False
        self.takes_whole = False
        self._is_whole_as_read = False
        """True for parameters that are taken whole, and that no annotation says anything of."""

    def _load(self) -> None:
        self._parameters = dict(hints.signature_of(self._function).parameters)
        self._types = hints.of_function(self._function, self._parameters)
        self.takes_whole = list(self._parameters) == ["params"] and self._parameters["params"].kind in _ONE_VALUE
        self._named = []
        for name, one in self._parameters.items():
            if one.kind is one.VAR_KEYWORD:
                self._others = name
            elif one.kind is not one.VAR_POSITIONAL:
                self._named.append((name, one.kind is one.POSITIONAL_ONLY, one.default))
        taken = [kind for name, kind in self._types.items() if name in self._parameters]
        if hints.wants_decimals(taken):
            self._digits = Digits.ALL
        elif hints.wants_integers(taken):
            self._digits = Digits.OF_INTEGERS
        self._is_whole_as_read = self.takes_whole and self._types.get("params", Any) is Any
        self._read = True

    def schema(self) -> bytes:
        """What it takes, as JSON Schema; empty when nothing can be said."""
        try:
            if not self._read:
                self._load()
        except Exception:
            # Told when it runs.
            return b""
        return schema_of(self._parameters, self._types, self.takes_whole)

    def arguments(self, workflow: str, params: bytes) -> Tuple[List[Any], Dict[str, Any]]:
        """Positional and keyword arguments for a call, from the JSON text of the parameters."""
        if not self._read:
            self._load()
        return self.bind(workflow, read_params(params, self._digits))

    def call(self, function: Callable[..., Any], workflow: str, params: bytes) -> Any:
        """Calls the function with the parameters, given as JSON text."""
        if self._is_whole_as_read:
            # As simple as it can be, and short runs are.
            value = read_params(params)
            if value is not None:
                return function(value)
        positional, keywords = self.arguments(workflow, params)
        return function(*positional, **keywords)

    def bind(self, workflow: str, params: Any) -> Tuple[List[Any], Dict[str, Any]]:
        """Positional and keyword arguments for a call."""
        if not self._read:
            self._load()
        if self.takes_whole:
            return self._bind_whole(workflow, params)
        if params is None:
            params = {}
        if not isinstance(params, dict):
            raise InvalidParameters(
                f"workflow {workflow!r} takes named parameters ({self._describe()}): "
                f"send a JSON object, not {_json_name(params)}"
            )
        return self._bind_object(workflow, params)

    def _bind_whole(self, workflow: str, params: Any) -> Tuple[List[Any], Dict[str, Any]]:
        if params is None and self._parameters["params"].default is not _EMPTY:
            return [], {}
        problems: List[str] = []
        whole = self._checked("params", params, problems)
        if problems:
            raise InvalidParameters(f"workflow {workflow!r}: {problems[0]}")
        return [whole], {}

    def _bind_object(self, workflow: str, params: Dict[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
        positional: List[Any] = []
        keywords: Dict[str, Any] = {}
        problems: List[str] = []
        rest = dict(params)
        for name, is_positional, default in self._named:
            if name in rest:
                value = self._checked(name, rest.pop(name), problems)
                if is_positional:
                    positional.append(value)
                else:
                    keywords[name] = value
            elif default is _EMPTY:
                problems.append(f"{name!r} is missing")
            elif is_positional:
                # What comes after it must not move into its place.
                positional.append(default)
        if rest and self._others:
            kind = self._types.get(self._others, Any)
            keywords.update((name, self._checked(name, value, problems, kind)) for name, value in rest.items())
        elif rest:
            problems.extend(self._unexpected(name) for name in rest)
        if problems:
            raise InvalidParameters(f"workflow {workflow!r}: " + "; ".join(problems) + f" (it takes: {self._describe()})")
        return positional, keywords

    def _checked(self, name: str, value: Any, problems: List[str], kind: Any = None) -> Any:
        kind = self._types.get(name, Any) if kind is None else kind
        if kind is Any and self._digits is Digits.OF_DOUBLES:
            return value
        try:
            return convert(kind, value, name)
        except Mismatch as mismatch:
            problems.append(str(mismatch))
        except RecursionError:
            problems.append(f"{name!r} is nested too deep for its annotation to be checked")
        return value

    def _unexpected(self, name: str) -> str:
        nameable = [one for one, parameter in self._parameters.items() if parameter.kind is not parameter.VAR_POSITIONAL]
        near = difflib.get_close_matches(name, nameable, n=1)
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
