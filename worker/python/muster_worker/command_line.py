"""The command line: `serve`, `run`, `replay`, `list`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from typing import Any, List, Optional

from .version import __version__
from .wire.limits import EXIT_DONE, EXIT_USAGE

_EXAMPLES = """examples:
  python -m muster_worker list
  python -m muster_worker run greet --params '{"name": "Ada"}'
  python -m muster_worker replay failed.jsonl
  python -m muster_worker serve --json      play the supervisor by hand

As a worker of a supervisor: worker_command = "python3 -m muster_worker"
"""

_RUN_EXAMPLES = """examples:
  python -m muster_worker run greet --params '{"name": "Ada"}'
  python -m muster_worker run report --params @report.json --timeout 30 --config api_key=secret
  python -m muster_worker run report --config @settings.json --config region=eu --state 'cursor={"page": 3}'
  echo '{"n": 1}' | python -m muster_worker run --code script.py --params -

Logs and prints go to stderr, the result to stdout; MUSTER_LOG_LEVEL=debug shows debug logs. breakpoint() works,
and the clock stands still at the debugger's prompt.

exit status: 0 it succeeded, 1 it failed, 64 the command line makes no sense, 124 it ran out of time, 130 cancelled
"""

_REPLAY_EXAMPLES = """examples:
  supervisor transcript ID --out failed.jsonl
  python -m muster_worker replay failed.jsonl
  python -m muster_worker replay failed.jsonl --workflows-dir ./workflows --config api_key=secret

Calls are answered from the recording. Shown are the first difference, with both sides, and both outcomes.

exit status: 0 it did the same, 1 it did not (or the recording breaks off), 2 the file cannot be replayed,
64 the command line makes no sense
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
        return EXIT_USAGE if leaving.code else EXIT_DONE
    if options.command == "serve":
        return _serve(options.json)
    if options.command == "run":
        from .command.run import run_command

        return run_command(options)
    if options.command == "replay":
        from .command.replay import replay_command

        return replay_command(options)
    if options.command == "list":
        from .command.list import list_command

        return list_command(options)
    parser.print_help(sys.stderr)
    return EXIT_DONE if sys.stderr.isatty() else EXIT_USAGE


def _serve(json_mode: bool) -> int:
    from .serve import serve

    serve(json_mode)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m muster_worker",
        description="Runs Muster workflows written in Python.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"muster-worker-python {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serving = commands.add_parser("serve", help="serve frames on stdin and stdout, as a supervisor's worker")
    serving.add_argument("--json", action="store_true", help="one JSON line per message instead of frames")
    running = _command(commands, "run", "run one execution here, without a supervisor", _RUN_EXAMPLES)
    _add_run(running)
    replaying = _command(commands, "replay", "run a recorded execution again and compare", _REPLAY_EXAMPLES)
    replaying.add_argument("file", metavar="FILE", help="the transcript")
    replaying.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE|@FILE",
        help="a value in the place of one that is masked in the transcript; @FILE holds a JSON object of them",
    )
    listing = commands.add_parser("list", help="list the workflows and where they are")
    listing.add_argument("--json", action="store_true", help="as JSON")
    for command in (running, replaying, listing):
        command.add_argument(
            "--workflows-dir",
            metavar="DIR",
            default=os.environ.get("MUSTER_WORKFLOWS_DIR", "./workflows"),
            help="the workflows folder (default: $MUSTER_WORKFLOWS_DIR, else ./workflows)",
        )
    return parser


def _command(commands: Any, name: str, what: str, examples: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _add_run(running: argparse.ArgumentParser) -> None:
    what: Any = running.add_argument
    what("workflow", nargs="?", help="its name; with --code only a label")
    what("--params", default="{}", metavar="JSON|@FILE|-", help="JSON, @FILE, or - for stdin (default: {})")
    what("--code", metavar="FILE", help="run this file's workflow instead of one by name")
    what("--timeout", type=_seconds, metavar="SECONDS", help="end it after so long (exit 124)")
    entry = {"action": "append", "default": [], "metavar": "KEY=VALUE|@FILE"}
    what("--config", **entry, help="a configuration value, JSON or text; @FILE holds a JSON object of them")
    what("--state", **entry, help="a state value it will find; state is kept in memory, for this run only")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0, such as 10 or 0.5")
    return seconds
