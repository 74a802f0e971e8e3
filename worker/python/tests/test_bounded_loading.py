"""One file costs only its own workflows: whatever it does while it is loaded, and whatever it is called."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import List

import pytest
from muster_worker.wire.messages import Path as InFile
from supervisor import PACKAGE, Ended, Worker

HEAD = "from muster_worker import context, workflow\n"
GOOD = HEAD + "@workflow\ndef good():\n    return 'good'\n"
BAD = HEAD + "import os, sys, threading, time\n@workflow\ndef bad():\n    return 'bad'\n"


def workflows(worker: Worker) -> List[str]:
    return [one for one in worker.ready.workflows if not one.startswith("conformance.")]


HANGS = {
    "loop": "while True: pass\n",
    "sleep": "time.sleep(600)\n",
    "wait": "threading.Event().wait()\n",
    "read": "r, w = os.pipe()\nos.read(r, 1)\n",
    "swallows": "while True:\n    try: time.sleep(600)\n    except Exception: pass\n",
    "swallows all, a while": "for _ in range(5):\n    try: time.sleep(600)\n    except BaseException: pass\ntime.sleep(600)\n",
    "a helper": "import hanging\n",
    "prints": "while True: print('again and again')\n",
    "masks signals": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n",
}


@pytest.mark.parametrize("name", HANGS)
def test_a_file_that_hangs(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.py").write_text(BAD + HANGS[name])
    (tmp_path / "b.py").write_text(GOOD)
    (tmp_path / "hanging.py").write_text("import time\ntime.sleep(600)\n")
    began = time.monotonic()
    with Worker(tmp_path, config={"worker_load_seconds": 0.3}) as worker:
        assert workflows(worker) == ["good"]
        assert time.monotonic() - began < 10
        assert worker.run("good").result == "good"
        worker.stderr_with(f"{tmp_path}/a.py cannot be loaded: LoadTimeout")
        error = worker.run("bad").error
        assert error.kind == "LoadTimeout"
        assert f"{tmp_path}/a.py was not loaded within" in error.message
        assert "a.py" in error.stack and "/muster_worker/" not in error.stack
        assert "a.py could not be loaded" in worker.run("no-such").outcome.reason
        assert worker.run("good").result == "good"
        (tmp_path / "a.py").write_text(BAD)
        assert worker.run("bad").result == "bad"


def test_a_name_that_nobody_knows_does_not_wait_for_a_file_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(BAD + "time.sleep(600)\n")
    with Worker(tmp_path, config={"worker_load_seconds": 2}) as worker:
        assert worker.run("no-such").seconds < 1


def test_many_files_that_hang_leave_time_for_the_rest(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"a{number}.py").write_text(BAD + "time.sleep(600)\n")
    (tmp_path / "b.py").write_text(GOOD)
    began = time.monotonic()
    with Worker(tmp_path, config={"worker_load_seconds": 4}) as worker:
        assert workflows(worker) == ["good"]
        assert time.monotonic() - began < 4 + 5 * 2 + 5


LEAVES = {
    "exit": ("os._exit(3)\n", "SystemExit"),
    "sys.exit": ("sys.exit(0)\n", "SystemExit"),
    "interrupt": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    "skip": ("class Skipped(BaseException): pass\nraise Skipped('not here')\n", "Skipped"),
    "cancelled": ("import asyncio\nraise asyncio.CancelledError\n", "CancelledError"),
    "memory": ("x = [0] * (1 << 60)\n", "OutOfMemory"),
    "recursion": ("def f(): f()\nf()\n", "RecursionError"),
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_file_that_leaves(tmp_path: Path, name: str) -> None:
    text, kind = LEAVES[name]
    (tmp_path / "a.py").write_text(BAD + text)
    (tmp_path / "b.py").write_text(GOOD)
    with Worker(tmp_path) as worker:
        assert workflows(worker) == ["good"]
        assert worker.run("good").result == "good"
        worker.stderr_with("a.py cannot be loaded")
        assert worker.run("bad").error.kind == kind
        assert worker.run("good").result == "good"


CRASHES = {
    "segfault": ("import ctypes\nctypes.string_at(0)\n", "ends the process with SIGSEGV"),
    "abort": ("os.abort()\n", "ends the process with SIGABRT"),
    "kill": ("os.kill(os.getpid(), 9)\n", "ends the process with SIGKILL"),
    "exit of C": ("import ctypes\nctypes.CDLL(None)._exit(0)\n", "ends the process with exit code 0"),
    "hangs in C": ("import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')\n", "was not loaded within 0.3 s, in C code"),
    "hangs behind a mask": ("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(600)\n", "was not loaded within 0.3 s, in C code"),
}


@pytest.mark.parametrize("name", CRASHES)
def test_a_file_that_ends_the_process_ends_one(tmp_path: Path, name: str) -> None:
    text, words = CRASHES[name]
    (tmp_path / "a.py").write_text(BAD + text)
    (tmp_path / "b.py").write_text(GOOD)
    config = {"worker_load_seconds": 0.3}
    with Worker(tmp_path, config=config, handshake=False) as first:
        first.greet(tmp_path, config)
        with pytest.raises(Ended):
            first.receive()
    for _ in range(2):
        with Worker(tmp_path, config=config) as worker:
            assert workflows(worker) == ["good"]
            assert worker.run("good").result == "good"
            assert words in worker.stderr_with(f"{tmp_path}/a.py cannot be loaded: LoadCrash")
            error = worker.run("bad").error
            assert (error.kind, words in error.message) == ("LoadCrash", True)
            assert worker.run("good").result == "good"
    (tmp_path / "a.py").write_text(BAD)
    with Worker(tmp_path, config=config) as worker:
        assert workflows(worker) == ["bad", "good"]


def test_a_file_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(BAD + "import helper\n")
    (tmp_path / "helper.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "b.py").write_text(GOOD)
    config = {"worker_load_seconds": 3}
    with Worker(tmp_path, config=config) as worker:
        assert workflows(worker) == ["good"]
    began = time.monotonic()
    with Worker(tmp_path, config=config) as worker:
        assert workflows(worker) == ["good"]
        assert time.monotonic() - began < 2.5
        assert worker.run("bad").error.kind == "LoadTimeout"
        (tmp_path / "helper.py").write_text("")
        assert worker.run("bad").result == "bad"
    with Worker(tmp_path, config=config) as worker:
        assert workflows(worker) == ["bad", "good"]


CHANGED = {
    "hangs": ("while True: pass\n", "LoadTimeout"),
    "sleeps": ("import time\ntime.sleep(600)\n", "LoadTimeout"),
    "ends the process": ("import os\nos._exit(3)\n", "SystemExit"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_changes_is_bounded_as_what_is_loaded_at_the_start(tmp_path: Path, name: str) -> None:
    text, kind = CHANGED[name]
    (tmp_path / "a.py").write_text(BAD + "import helper\n")
    (tmp_path / "b.py").write_text(GOOD)
    (tmp_path / "helper.py").write_text("")
    with Worker(tmp_path, config={"worker_load_seconds": 0.5}) as worker:
        assert worker.run("bad").result == "bad"
        (tmp_path / "helper.py").write_text(text)
        began = time.monotonic()
        assert worker.run("bad").error.kind == kind
        assert worker.run("bad", source=InFile("a.py", "bad")).error.kind == kind
        assert time.monotonic() - began < 10
        assert worker.run("good").result == "good"
        (tmp_path / "helper.py").write_text("VALUE = 1\n")
        assert worker.run("bad").result == "bad"


def test_user_code_does_not_see_where_workers_keep_what_hangs(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o700)
    with Worker(tmp_path, variables={"MUSTER_LOADING_DIR": str(tmp_path / "kept")}) as worker:
        code = "import os\ndef main(params):\n    return sorted(name for name in os.environ if name.startswith('MUSTER_'))\n"
        assert "MUSTER_LOADING_DIR" not in worker.code(code).result


def test_a_worker_that_was_killed_while_it_loaded_blames_no_file_for_long(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(BAD + "open(os.environ['STARTED'], 'w').close()\nwhile not os.path.exists(os.environ['GO']): time.sleep(0.01)\n")
    started, go = tmp_path / "started", tmp_path / "go"
    command = ["env", f"STARTED={started}", f"GO={go}", sys.executable, "-m", "muster_worker"]
    with Worker(tmp_path, command=command, handshake=False) as first:
        first.greet(tmp_path, {})
        while not started.exists():
            time.sleep(0.005)
    go.write_text("")
    with Worker(tmp_path, command=command) as worker:
        assert workflows(worker) == ["bad"]
        assert worker.run("bad").result == "bad"


def test_a_child_forked_while_loading_exits(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(HEAD + "import os\npid = os.fork()\nif pid == 0:\n    os._exit(7)\nCODE = os.waitpid(pid, 0)[1] >> 8\n@workflow\ndef code():\n    return CODE\n")
    with Worker(tmp_path) as worker:
        assert worker.run("code").result == 7


class Installed:
    """A folder of installed modules, and a worker that has it."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "workflows"
        self.folder.mkdir()
        site = tmp_path / "site"
        (site / "whole").mkdir(parents=True)
        (site / "yamlish.py").write_text("def load(): return 'installed'\n")
        (site / "whole" / "__init__.py").write_text("def load(): return 'installed'\n")
        (site / "user_of_yamlish.py").write_text("import yamlish, whole\ndef both(): return [yamlish.load(), whole.load()]\n")
        self.command = ["env", f"PYTHONPATH={PACKAGE}:{site}", sys.executable, "-m", "muster_worker"]

    def worker(self) -> Worker:
        return Worker(self.folder, command=self.command)


USER = HEAD + "import user_of_yamlish\n@workflow\ndef both():\n    return user_of_yamlish.both()\n"


def test_a_workflow_file_of_the_name_of_an_installed_module(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    (installed.folder / "yamlish.py").write_text(HEAD + "import yamlish\n@workflow\ndef own():\n    return [__name__, yamlish.load()]\n")
    (installed.folder / "whole").mkdir()
    (installed.folder / "whole" / "__init__.py").write_text("")
    (installed.folder / "whole" / "helper.py").write_text("VALUE = 'helped'\n")
    (installed.folder / "whole" / "flow.py").write_text(HEAD + "from .helper import VALUE\nimport whole\n@workflow\ndef packed():\n    return [VALUE, whole.load()]\n")
    (installed.folder / "z.py").write_text(USER)
    with installed.worker() as worker:
        assert workflows(worker) == ["both", "own", "packed"]
        assert worker.run("both").result == ["installed", "installed"]
        assert worker.run("own").result == ["muster_workflows.yamlish", "installed"]
        assert worker.run("packed").result == ["helped", "installed"]
        (installed.folder / "whole" / "helper.py").write_text("VALUE = 'changed'\n")
        assert worker.run("packed").result == ["changed", "installed"]
        assert worker.run("both").result == ["installed", "installed"]


def test_a_helper_of_the_name_of_an_installed_module_is_named(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    (installed.folder / "yamlish.py").write_text("def load(): return 'own'\n")
    (installed.folder / "a.py").write_text(USER)
    (installed.folder / "b.py").write_text(HEAD + "from muster_workflows import yamlish\n@workflow\ndef own():\n    return yamlish.load()\n")
    with installed.worker() as worker:
        assert worker.run("both").result == ["installed", "installed"]
        assert worker.run("own").result == "own"
        worker.stderr_with("yamlish.py has the name of an installed module, which is what `import yamlish` finds")


def test_helpers_of_other_names_are_found_as_before(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    (tmp_path / "a.py").write_text(HEAD + "import helper\n@workflow\ndef a():\n    return [helper.VALUE, helper.__name__]\n")
    with Worker(tmp_path) as worker:
        assert worker.run("a").result == [1, "helper"]
        assert worker.stderr == ""
