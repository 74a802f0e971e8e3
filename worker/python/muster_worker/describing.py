"""What the worker describes of its workflows."""

from __future__ import annotations

import inspect
import os
from typing import Dict, Iterable, Optional

from .errors import describe
from .wire.messages import BrokenFile, Describe, WorkflowDescription
from .workflow import Definition

_TEXT_MAX_CHARACTERS = 1000
_AT_ONCE = 500
"""So many workflows go into one message: far from a frame's end, whatever their schemas."""
_TOLD_MAX = 10_000


def descriptions(
    definitions: Dict[str, Definition], broken: Dict[str, BaseException], folder: Optional[str]
) -> Iterable[Describe]:
    """Everything there is, in place of what was described before."""
    told = [_description(name, one, folder) for name, one in sorted(definitions.items())][:_TOLD_MAX]
    files = [_broken(path, error, folder) for path, error in sorted(broken.items())][:_TOLD_MAX]
    yield Describe(True, told[:_AT_ONCE], files)
    for start in range(_AT_ONCE, len(told), _AT_ONCE):
        yield Describe(False, told[start : start + _AT_ONCE], [])


def _description(name: str, definition: Definition, folder: Optional[str]) -> WorkflowDescription:
    policy = definition.policy
    timeout = policy.timeout_seconds
    return WorkflowDescription(
        name,
        _first_lines(definition),
        _within(_file_of(definition), folder),
        None if timeout is None else max(1, round(timeout * 1000)),
        policy.retry,
        policy.concurrency,
        policy.limits,
        policy.queue,
        definition.signature.schema(),
    )


def _first_lines(definition: Definition) -> str:
    """The first paragraph of its docstring."""
    try:
        text = inspect.getdoc(definition.function) or ""
    except Exception:
        return ""
    return " ".join(text.split("\n\n")[0].split())[:_TEXT_MAX_CHARACTERS]


def _file_of(definition: Definition) -> str:
    code = getattr(inspect.unwrap(definition.function), "__code__", None)
    return code.co_filename if code else ""


def _within(path: str, folder: Optional[str]) -> str:
    root = os.path.join(os.path.realpath(folder), "") if folder else ""
    return path[len(root) :] if root and path.startswith(root) else path


def _broken(path: str, error: BaseException, folder: Optional[str]) -> BrokenFile:
    told = describe(error)
    return BrokenFile(_within(path, folder), told._replace(stack=told.stack[:_TEXT_MAX_CHARACTERS], retryable=None))
