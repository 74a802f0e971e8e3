"""Annotations as JSON Schema, so that a supervisor can refuse parameters before a worker is asked.

A schema never refuses what `conversion` takes: where an annotation takes more than a schema can say (a pydantic model,
which reads "5" as a number), nothing is said of it.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import inspect
import json
import math
import types
import typing
import uuid
from typing import Any, Dict, Iterable, List, Union, get_args, get_origin

from . import hints
from .from_text import FROM_NUMBER, FROM_TEXT
from .records import is_model

_UNIONS = (Union, getattr(types, "UnionType", Union))
_LISTS = (
    *(list, collections.deque, collections.abc.Sequence, collections.abc.MutableSequence),
    *(collections.abc.Iterable, collections.abc.Collection),
)
_SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_OBJECTS = (dict, collections.OrderedDict, collections.abc.Mapping, collections.abc.MutableMapping)
_WRAPPERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"}
_PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_FORMATS = {datetime.datetime: "date-time", datetime.date: "date", datetime.time: "time", uuid.UUID: "uuid"}
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_SCHEMA_MAX_BYTES = 64 * 1024

Json = Dict[str, Any]


def schema_of(parameters: Dict[str, inspect.Parameter], hinted: Dict[str, Any], takes_whole: bool) -> bytes:
    """The schema of what a function takes, as JSON text; empty when there is nothing to say, or no way to say it."""
    try:
        schema = _Schema()
        made = schema.whole(parameters, hinted) if takes_whole else schema.named(parameters, hinted)
        if schema.definitions:
            made["$defs"] = schema.definitions
        text = json.dumps(made, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except Exception:
        # An annotation may be anything, and what it is must not cost the workflow.
        return b""
    return text if made and len(text) <= _SCHEMA_MAX_BYTES else b""


class _Schema:
    def __init__(self) -> None:
        self.definitions: Dict[str, Json] = {}
        self._names: Dict[type, str] = {}

    def whole(self, parameters: Dict[str, inspect.Parameter], hinted: Dict[str, Any]) -> Json:
        made = self.of(hinted.get("params", Any))
        has_default = parameters["params"].default is not inspect.Parameter.empty
        return {"anyOf": [made, {"type": "null"}]} if made and has_default else made

    def named(self, parameters: Dict[str, inspect.Parameter], hinted: Dict[str, Any]) -> Json:
        properties: Json = {}
        required: List[str] = []
        others: Any = False
        for name, one in parameters.items():
            if one.kind is one.VAR_KEYWORD:
                others = self.of(hinted.get(name, Any)) or True
            elif one.kind is not one.VAR_POSITIONAL:
                properties[name] = self._parameter(hinted.get(name, Any), one)
                if one.default is one.empty:
                    required.append(name)
        # No parameters at all may be said as null.
        made: Json = {"type": "object" if required else ["object", "null"], "properties": properties}
        if required:
            made["required"] = required
        return {**made, "additionalProperties": others}

    def _parameter(self, kind: Any, parameter: inspect.Parameter) -> Json:
        made = self.of(kind)
        if parameter.default is not parameter.empty and _is_json(parameter.default):
            made = {**made, "default": parameter.default}
        return made

    def of(self, kind: Any) -> Json:
        """The schema of an annotation; `{}` takes everything."""
        inner = getattr(kind, "__supertype__", None) or getattr(kind, "__value__", None)
        if inner is not None and not isinstance(kind, type):
            return self.of(inner)
        origin = get_origin(kind)
        if origin is typing.Annotated:
            return self._annotated(*get_args(kind))
        if origin is not None:
            return self._generic(origin, get_args(kind))
        if kind is None or kind is type(None):
            return {"type": "null"}
        return self._class(kind) if isinstance(kind, type) else {}

    def _annotated(self, kind: Any, *metadata: Any) -> Json:
        made = self.of(kind)
        for one in _flat(metadata):
            if made.get("type") in ("integer", "number"):
                made = {**made, **{_BOUNDS[name]: bound for name, bound in _numbers(one)}}
            if made.get("type") == "string":
                lengths = {"minLength": getattr(one, "min_length", None), "maxLength": getattr(one, "max_length", None)}
                made = {**made, **{name: length for name, length in lengths.items() if type(length) is int}}
        return made

    def _generic(self, origin: Any, arguments: Any) -> Json:
        if origin in _UNIONS:
            made = [self.of(one) for one in arguments]
            return {"anyOf": made} if all(made) else {}
        if origin is typing.Literal:
            values = [one.value if isinstance(one, enum.Enum) else one for one in arguments]
            return {"enum": values} if all(map(_is_json, values)) else {}
        if origin is tuple:
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return {"type": "array", "items": self.of(arguments[0])}
            items = [self.of(one) for one in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if origin in _LISTS or origin in _SETS:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin in _OBJECTS:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if getattr(origin, "_name", None) in _WRAPPERS:
            return self.of(arguments[0])
        return self._class(origin) if isinstance(origin, type) else {}

    def _class(self, kind: Any) -> Json:
        if kind in _PLAIN:
            return {"type": _PLAIN[kind]}
        if issubclass(kind, enum.Enum):
            # By its value, or by its name.
            values = [one.value for one in kind] + list(kind.__members__)
            return {"enum": _once(values)} if all(map(_is_json, values)) else {}
        if is_model(kind):
            return {}
        if dataclasses.is_dataclass(kind) or hasattr(kind, "__required_keys__"):
            return self._record(kind)
        if kind in (tuple, set, frozenset, collections.deque):
            return {"type": "array"}
        if kind in FROM_TEXT:
            if kind in FROM_NUMBER:
                return {"type": ["string", "number"]}
            return {"type": "string", **({"format": _FORMATS[kind]} if kind in _FORMATS else {})}
        return {}

    def _record(self, kind: Any) -> Json:
        """A class with fields, by name: it may hold itself."""
        name = self._names.get(kind)
        if name is None:
            name = kind.__name__ if kind.__name__ not in self.definitions else f"{kind.__name__}{len(self._names)}"
            self._names[kind] = name
            self.definitions[name] = {}
            self.definitions[name] = self._fields(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _fields(self, kind: Any) -> Json:
        hinted = hints.of_class(kind)
        if dataclasses.is_dataclass(kind):
            fields = [one for one in dataclasses.fields(kind) if one.init]
            missing = dataclasses.MISSING
            needed = [one.name for one in fields if one.default is missing and one.default_factory is missing]
            properties = {one.name: self.of(hinted.get(one.name, Any)) for one in fields}
            return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
        properties = {name: self.of(one) for name, one in hinted.items()}
        return {"type": "object", "properties": properties, "required": sorted(kind.__required_keys__)}


def _flat(metadata: Iterable[Any]) -> Iterable[Any]:
    for one in metadata:
        if type(one).__module__.startswith("pydantic"):
            # Its rules are its own: it reads "5" as a number where it likes.
            continue
        if getattr(one, "__is_annotated_types_grouped_metadata__", False):
            yield from one
        else:
            yield one


def _numbers(constraint: Any) -> Iterable[Any]:
    for name in _BOUNDS:
        bound = getattr(constraint, name, None)
        if isinstance(bound, (int, float)) and _is_json(bound) and not isinstance(bound, bool):
            yield name, bound


def _once(values: Iterable[Any]) -> List[Any]:
    found: List[Any] = []
    for one in values:
        if not any(one == other and isinstance(one, bool) == isinstance(other, bool) for other in found):
            found.append(one)
    return found


def _is_json(value: Any) -> bool:
    """True for what JSON holds as it is: no subclass, no other number than it has."""
    if type(value) in (list, tuple):
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(key) is str and _is_json(one) for key, one in value.items())
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))
