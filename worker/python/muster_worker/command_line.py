"""The command line: `serve`, `run`, `list`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import List, Optional

from .wire.limits import EXIT_USAGE

_EXAMPLES = """examples:
  python -m muster_worker list
  python -m muster_worker run greet --params '{"name": "Ada"}'
  python -m muster_worker run report --params @report.json --timeout 30 --config api_key=secret
  python -m muster_worker run - --code script.py
  python -m muster_worker serve --json      play the supervisor by hand

As a worker of a supervisor: worker_command = "python3 -m muster_worker"
"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs one command; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given and os.environ.get("MUSTER_PROTOCOL"):
        return _serve(False)
    parser = _parser()
    try:
        options = parser.parse_args(given)
    except SystemExit as leaving:
        return EXIT_USAGE if leaving.code else 0
    if options.command == "serve":
        return _serve(options.json)
    if options.command == "run":
        from .terminal import run_command

        return run_command(options)
    if options.command == "list":
        from .terminal import list_command

        return list_command(options)
    parser.print_help(sys.stderr)
    return EXIT_USAGE if not sys.stderr.isatty() else 0


def _serve(json_mode: bool) -> int:
    from .serve import serve

    return serve(json_mode)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m muster_worker",
        description="Runs Muster workflows written in Python.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serving = commands.add_parser("serve", help="serve frames on stdin and stdout, as a supervisor's worker")
    serving.add_argument("--json", action="store_true", help="one JSON line per message instead of frames")
    running = commands.add_parser("run", help="run one execution here, without a supervisor")
    running.add_argument("workflow", help="its name; with --code only a label")
    running.add_argument("--params", default="{}", help="JSON, @FILE, or - for stdin (default: {})")
    running.add_argument("--code", metavar="FILE", help="run this file's workflow instead of one by name")
    running.add_argument("--timeout", type=float, metavar="SECONDS", help="end it after so long (exit 124)")
    running.add_argument(
        "--config", action="append", default=[], metavar="KEY=VALUE", help="a configuration value; JSON or text"
    )
    listing = commands.add_parser("list", help="list the workflows and where they are")
    listing.add_argument("--json", action="store_true", help="as JSON")
    for command in (running, listing):
        command.add_argument(
            "--workflows-dir",
            default=os.environ.get("MUSTER_WORKFLOWS_DIR", "./workflows"),
            help="the workflows folder (default: $MUSTER_WORKFLOWS_DIR, else ./workflows)",
        )
    return parser
