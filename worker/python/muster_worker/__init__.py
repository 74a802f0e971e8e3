"""Write Muster workflows in Python.

    from muster_worker import context, workflow

    @workflow
    def greet(name: str = "world") -> dict:
        context.log.info("greeting", name=name)
        return {"greeting": f"Hello, {name}!"}

`python -m muster_worker` is the worker; `python -m muster_worker run greet` runs one execution alone.
"""

from . import streams
from .context import Context, context
from .errors import CallError, Cancelled, InvalidParameters, InvalidResult, MusterError
from .hooks import after_fork, on_run_end, on_run_start, on_worker_start
from .interrupt import shield
from .version import __version__
from .workflow import workflow

if streams.is_child():
    streams.write_whole_lines()

__all__ = [
    "CallError",
    "Cancelled",
    "Context",
    "InvalidParameters",
    "InvalidResult",
    "MusterError",
    "__version__",
    "after_fork",
    "context",
    "on_run_end",
    "on_run_start",
    "on_worker_start",
    "shield",
    "workflow",
]
