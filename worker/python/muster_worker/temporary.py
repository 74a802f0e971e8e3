"""The temporary folder: a worker's own, which the supervisor empties after each run."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any, Optional

from . import on_import

VARIABLE = "TMPDIR"
_are_used = False
"""True once there is a module that remembers folders."""


def of_worker(worker_id: str) -> Optional[str]:
    """In a worker that a template made: the folder that the supervisor made for it in the template's."""
    before = os.environ.get(VARIABLE)
    folder = os.path.join(before or "", worker_id)
    if not before or not worker_id or not os.path.isdir(folder):
        return None
    module: Any = sys.modules.get("tempfile")
    if module is not None and module.tempdir in (before, os.fsencode(before)):
        module.tempdir = None
    return folder


def watch() -> None:
    """To be called once, before `forget`: has it told when a module comes that remembers folders."""
    for name in ("multiprocessing.process", "tempfile"):
        on_import.when_imported(name, _note_use)


def _note_use(_: ModuleType) -> None:
    global _are_used
    _are_used = True


def forget() -> None:
    """After a run: what libraries remember to have made there is gone."""
    if not _are_used:
        return
    module: Any = sys.modules.get("multiprocessing.process")
    if module is not None:
        module.current_process()._config.pop("tempdir", None)
    module = sys.modules.get("tempfile")
    if module is not None and module.tempdir is not None and module.tempdir != os.environ.get(VARIABLE, "/tmp"):
        # Found anew by whoever needs it.
        module.tempdir = None
