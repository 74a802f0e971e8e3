"""`list`: every workflow, and every file that cannot be loaded."""

from __future__ import annotations

import argparse
import json
import os
import sys

from ..registry import Registry
from ..wire.limits import EXIT_DONE

_EXIT_FAILED = 1


def list_command(options: argparse.Namespace) -> int:
    """Names and places on stdout; what is wrong on stderr, and in the exit code."""
    registry = Registry(options.workflows_dir, bool(os.environ.get("MUSTER_CONFORMANCE")), with_hooks=False)
    out = sys.stdout
    sys.stdout = sys.stderr
    try:
        registry.load()
    except Exception as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_FAILED
    finally:
        sys.stdout = out
    found = {name: definition.where for name, definition in sorted(registry.entries().items())}
    if options.json:
        print(json.dumps([{"workflow": name, "where": where} for name, where in found.items()]))
    else:
        width = max(map(len, found), default=0)
        for name, where in found.items():
            print(f"{name:{width}}  {where}")
        if not found:
            print(_nothing_in(options.workflows_dir), file=sys.stderr)
    return _EXIT_FAILED if registry.broken() else EXIT_DONE


def _nothing_in(folder: str) -> str:
    if not os.path.isdir(folder):
        return f"there is no folder {folder}; name yours with --workflows-dir DIR"
    return f"there are no workflows in {folder}: no .py file there has a function with @workflow"
