"""`run` and `list` without a supervisor."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest
from supervisor import PACKAGE, environment

EXAMPLES = PACKAGE / "examples" / "workflows"


def run(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    command: List[str] = [sys.executable, "-m", "muster_worker", *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False, **more)


def code(tmp_path: Path, text: str, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "code.py").write_text(text)
    return run("run", "it", "--code", str(tmp_path / "code.py"), *arguments, **more)


def test_list() -> None:
    listed = run("list", "--workflows-dir", str(EXAMPLES))
    assert listed.returncode == 0
    assert "greet" in listed.stdout and "greet.py:" in listed.stdout
    assert {"greet"} <= {one["workflow"] for one in json.loads(run("list", "--json", "--workflows-dir", str(EXAMPLES)).stdout)}


def test_run_keeps_stdout_for_the_result(tmp_path: Path) -> None:
    text = "import os\nfrom muster_worker import context\ndef main(params):\n    print('loud')\n    os.system('echo louder')\n    context.log.info('hello', a=1)\n    context.progress(1, 2)\n    return params\n"
    done = code(tmp_path, text, "--params", '{"a": "ü"}')
    assert (done.returncode, done.stdout) == (0, '{"a": "ü"}\n')
    for expected in ("loud", "louder", "INFO  it: hello a=1", "progress 1/2 (50 %)"):
        assert expected in done.stderr


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_params_from_elsewhere(tmp_path: Path, source: str) -> None:
    (tmp_path / "params.json").write_text('{"n": 1}')
    given = f"@{tmp_path / 'params.json'}" if source == "file" else "-"
    done = code(tmp_path, "def main(params): return params\n", "--params", given, input='{"n": 1}')
    assert json.loads(done.stdout) == {"n": 1}


def test_failures(tmp_path: Path) -> None:
    failed = code(tmp_path, "def main(params):\n    raise ValueError('wrong')\n")
    assert failed.returncode == 1
    assert "failed: ValueError: wrong" in failed.stderr and "code.py" not in failed.stdout
    assert run("run", "none", "--workflows-dir", str(EXAMPLES)).returncode == 1
    assert run("run", "greet", "--params", "{").returncode == 64
    assert run("nonsense").returncode == 64


@pytest.mark.parametrize("body", ["while True: pass", "import time; time.sleep(60)"])
def test_timeout(tmp_path: Path, body: str) -> None:
    began = time.monotonic()
    assert code(tmp_path, f"def main(params):\n    {body}\n", "--timeout", "0.3").returncode == 124
    assert time.monotonic() - began < 3


def test_state_and_config(tmp_path: Path) -> None:
    text = """
from muster_worker import context
def main(params):
    context.state.set("n", context.state.get("n", 1) + 1)
    return [context.state.get("n"), context.config.get("a"), context.config["b"], context.config.get("c", "d"), context.submit("x")]
"""
    done = code(tmp_path, text, "--config", "a=1", "--config", "b=text")
    assert json.loads(done.stdout)[:4] == [2, 1, "text", "d"]


READS = """
from muster_worker import context
def main(params):
    return [context.config.get(key) for key in "abc"] + [context.state.get("s"), context.raw["config"]["a"], context.workflow]
"""


def test_config_and_state_from_flags_and_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": 1, "b": {"deep": [2]}}')
    (tmp_path / "code.py").write_text(READS)
    given = ["--config", f"@{tmp_path / 'config.json'}", "--config", "a=later wins", "--state", "s=[3]"]
    done = run("run", "--code", str(tmp_path / "code.py"), *given)
    assert json.loads(done.stdout) == ["later wins", {"deep": [2]}, None, [3], "later wins", "code.py"]


@pytest.mark.parametrize(
    "given, says",
    [
        (["--config", "region"], "--config 'region': write KEY=VALUE, or @FILE"),
        (["--state", "=1"], "--state '=1': write KEY=VALUE"),
        (["--config", "@none.json"], "No such file or directory: 'none.json'"),
        (["--config", "@list.json"], "the file must hold a JSON object"),
        (["--config", "@torn.json"], "torn.json is not JSON"),
        (["--timeout", "0"], "'0' is not a number of seconds above 0"),
        (["--timeout", "nan"], "'nan' is not a number of seconds above 0"),
        ([], "name a workflow, or a file with --code"),
    ],
)
def test_usage_errors_say_what_to_write(tmp_path: Path, given: List[str], says: str) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "torn.json").write_text("{")
    done = run("run", *(["greet"] if given else []), *given, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert says in done.stderr


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for command in (["run", "greet"], ["list"]):
        done = run(*command, "--workflows-dir", str(tmp_path / "none"))
        assert f"there is no folder {tmp_path / 'none'}; name yours with --workflows-dir DIR" in done.stderr


def test_prints_and_logs_come_in_order(tmp_path: Path) -> None:
    done = code(tmp_path, "import logging\ndef main(params):\n    print('one')\n    logging.info('two')\n    print('three')\n")
    assert [line.split()[-1] for line in done.stderr.splitlines()] == ["one", "two", "three"]


def test_a_forked_child_is_an_ordinary_process(tmp_path: Path) -> None:
    text = """
import multiprocessing, time
def main(params):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(5)
    return child.exitcode
"""
    done = code(tmp_path, text)
    assert (done.stdout, done.stderr) == ("-15\n", "")


def test_what_swallows_everything_is_ended_by_force(tmp_path: Path) -> None:
    text = "import time\ndef main(params):\n    while True:\n        try: time.sleep(60)\n        except BaseException: print('swallowed')\n"
    done = code(tmp_path, text, "--timeout", "0.2")
    assert done.returncode == 124
    # The cancel, and once more after its grace.
    assert done.stderr.count("swallowed") == 2
    assert "it does not end when asked; what it is doing:" in done.stderr and "try: time.sleep(60)" in done.stderr


def test_breakpoint_stops_the_clock(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("def main(params):\n    value = 41\n    breakpoint()\n    return value + 1\n")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "muster_worker", "run", "it", "--code", str(tmp_path / "code.py"), "--timeout", "0.5"]
    process = subprocess.Popen(command, env=environment(TERM="dumb"), stdin=follower, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    seen = b""
    while b"(Pdb)" not in seen:
        seen += os.read(leader, 1024)
    time.sleep(1.0)
    os.write(leader, b"p value + 1000\n")
    while b"1041" not in seen:
        seen += os.read(leader, 1024)
    os.write(leader, b"c\n")
    assert process.stdout is not None
    assert process.stdout.read() == b"42\n"
    assert process.wait(10) == 0
    process.stdout.close()
    os.close(leader)
