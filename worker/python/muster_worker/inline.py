"""Code that comes with the request of an execution, as the module that is made of it."""

from __future__ import annotations

import linecache
import sys
from types import ModuleType

from . import hooks, user_code
from .errors import Rejection
from .picking import pick
from .runner import Job
from .wire.messages import Inline
from .workflow import Definition

_PYTHON = ("", "python", "py", "python3")


def inline_job(workflow: str, source: Inline) -> Job:
    """How to get the function. Code of another language is a Rejection."""
    if source.language.lower() not in _PYTHON:
        raise Rejection(f"the code is {source.language}; this worker runs Python")

    def job() -> Definition:
        filename = f"<inline {workflow or 'code'}>"
        text = source.code.decode("utf-8")
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        module = ModuleType(hooks.INLINE_MODULE)
        module.__file__ = filename
        user_code.mark(module)
        sys.modules[hooks.INLINE_MODULE] = module
        exec(compile(text, filename, "exec", dont_inherit=True), vars(module))
        return pick(module, "", "the code", workflow)

    return job
