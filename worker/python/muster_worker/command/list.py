"""`list`: every workflow, and every file that cannot be loaded."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Dict

from ..registry import Registry
from ..wire.limits import EXIT_DONE
from ..workflow import Definition

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
    found = dict(sorted(registry.entries().items()))
    if options.json:
        print(json.dumps([{"workflow": name, "where": one.where, **_policy(one)} for name, one in found.items()]))
    else:
        width = max(map(len, found), default=0)
        for name, one in found.items():
            print(f"{name:{width}}  {one.where}{_in_words(one)}")
        if not found:
            print(_nothing_in(options.workflows_dir), file=sys.stderr)
    return _EXIT_FAILED if registry.broken() else EXIT_DONE


def _policy(definition: Definition) -> Dict[str, Any]:
    """What is declared, as `GET /api/workflows` of a supervisor names it."""
    policy, schema = definition.policy, definition.signature.schema()
    backoff = policy.retry.backoff_ms
    fields = {
        "timeout_seconds": policy.timeout_seconds,
        "max_attempts": policy.retry.max_attempts,
        "backoff_seconds": None if backoff is None else backoff / 1000,
        "parameters": json.loads(schema) if schema else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _in_words(definition: Definition) -> str:
    timeout, attempts = definition.policy.timeout_seconds, definition.policy.retry.max_attempts
    said = [f"timeout {timeout:g} s"] if timeout is not None else []
    said += [f"{attempts} attempts"] if attempts is not None else []
    return f"  ({', '.join(said)})" if said else ""


def _nothing_in(folder: str) -> str:
    if not os.path.isdir(folder):
        return f"there is no folder {folder}; name yours with --workflows-dir DIR"
    return f"there are no workflows in {folder}: no .py file there has a function with @workflow"
