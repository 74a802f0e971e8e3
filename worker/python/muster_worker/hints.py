"""What the annotations of functions and classes mean. One that cannot be resolved costs only itself, with a warning."""

from __future__ import annotations

import dataclasses
import decimal
import inspect
import logging
import sys
import types
import typing
from typing import Any, Callable, Dict, Set, get_args
from weakref import WeakKeyDictionary

_log = logging.getLogger("muster_worker")
_of_classes: WeakKeyDictionary[type, Dict[str, Any]] = WeakKeyDictionary()


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature, whatever its annotations are."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def of_function(function: Callable[..., Any], parameters: Dict[str, inspect.Parameter]) -> Dict[str, Any]:
    """The types of the parameters that have one."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:
        annotations = {name: one.annotation for name, one in parameters.items() if one.annotation is not one.empty}
        space = getattr(inspect.unwrap(function), "__globals__", {})
        return _one_by_one(annotations, space, f"workflow function {function.__qualname__}")


def of_class(kind: type) -> Dict[str, Any]:
    """The types of the fields of a dataclass, a TypedDict or a NamedTuple."""
    known = _of_classes.get(kind)
    if known is None:
        _of_classes[kind] = known = _read_class(kind)
    return known


def _read_class(kind: type) -> Dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:
        found: Dict[str, Any] = {}
        for one in reversed(kind.__mro__):
            space = vars(sys.modules.get(one.__module__, types.ModuleType("none")))
            found.update(_one_by_one(vars(one).get("__annotations__", {}), space, f"class {one.__qualname__}"))
        return found


class _Holder:
    """Something to have annotations."""


def _one_by_one(annotations: Dict[str, Any], space: Dict[str, Any], whose: str) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name, annotation in annotations.items():
        holder = _Holder()
        holder.__annotations__ = {name: annotation}
        try:
            found.update(typing.get_type_hints(holder, globalns=space, include_extras=True))
        except Exception as error:
            _log.warning("%s: the annotation of %r cannot be resolved (%s); it is not checked", whose, name, error)
    return found


def mentions(kind: Any, wanted: Set[Any], seen: Set[int]) -> bool:
    """True when one of the wanted types is anywhere in an annotation, or in the fields of a class that it names."""
    if isinstance(kind, type) and kind in wanted:
        return True
    if id(kind) in seen:
        return False
    seen.add(id(kind))
    inner = [*get_args(kind), getattr(kind, "__supertype__", None), getattr(kind, "__value__", None)]
    if isinstance(kind, type):
        fields = getattr(kind, "model_fields", None)
        if isinstance(fields, dict):
            inner.extend(getattr(one, "annotation", None) for one in fields.values())
        elif dataclasses.is_dataclass(kind) or hasattr(kind, "__required_keys__") or hasattr(kind, "_field_defaults"):
            inner.extend(of_class(kind).values())
    return any(mentions(one, wanted, seen) for one in inner if one is not None)


def wants_decimals(types_: Any) -> bool:
    """True when digits must be kept as they were written."""
    return any(mentions(one, {decimal.Decimal}, set()) for one in types_)


def wants_integers(types_: Any) -> bool:
    """True when whole numbers are asked for, which a double may not hold."""
    return any(mentions(one, {int}, set()) for one in types_)
