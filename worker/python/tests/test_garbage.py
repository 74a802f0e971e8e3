"""What a run leaves for the garbage collector acts as that run, or as nobody, and never in the next run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, List

import pytest
from muster_worker.wire.messages import Call, Finished, Idle, Inline, Log
from muster_worker.wire.messages import Path as Source
from supervisor import Worker

LEAVING = """
import gc
from muster_worker import CallError, context

class Left:
    def __init__(self):
        self.me = self

    def __del__(self):
        context.log.info("logged")
        print("printed")
        try:
            context.state.set("k", 1)
        except CallError as error:
            context.log.info(error.kind)

def main(params):
"""
LEFT = {
    "cycle": "Left()",
    "while the collector is off": "gc.disable(); Left()",
    "frozen": "Left(); gc.freeze()",
    "old": "left = Left(); gc.collect(); gc.collect()",
    "much": "left = [Left(), *([n] for n in range(100_000))]; left.append(left); gc.collect()",
    "saved": "gc.set_debug(gc.DEBUG_SAVEALL); Left()",
    "made by a finalizer": "maker = type('Maker', (), {'__del__': lambda self: Left()})(); maker.me = maker",
    "by what is imported": "import colorsys, wave; Left()",
}
LOOKING = """
import gc
def main(params):
    gc.collect()
    return [[n] for n in range(20_000)][-1]
"""


def until_idle(worker: Worker) -> List[Any]:
    messages: List[Any] = []
    while not messages or not isinstance(messages[-1], Idle):
        messages.append(worker.receive())
    return messages


def lines(messages: List[Any], run: int) -> List[str]:
    return [record.message for one in messages if isinstance(one, Log) and one.run == run for record in one.records]


@pytest.mark.parametrize("name", LEFT)
def test_the_finalizers_of_a_run_act_as_that_run_and_before_the_next_one(worker: Worker, name: str) -> None:
    first = worker.start("inline", source=Inline("", f"{LEAVING}    {LEFT[name]}\n".encode()))
    messages = until_idle(worker)
    second = worker.start("inline", source=Inline("", LOOKING.encode()))
    messages += until_idle(worker)
    assert lines(messages, first) == ["logged", "printed", "Closed"]
    assert lines(messages, second) == []
    assert not [one for one in messages if isinstance(one, Call)]
    assert "printed" not in worker.stderr
    # Before Finished it would have to be counted there, and after the second one's begin it would be of that.
    ends = [at for at, one in enumerate(messages) if isinstance(one, Finished)]
    assert ends[0] < min(at for at, one in enumerate(messages) if isinstance(one, Log)) < ends[1]


def test_what_a_finalizer_does_to_the_process_is_put_back(worker: Worker) -> None:
    code = "import os\nclass Left:\n    def __del__(self): os.environ['LEAK'] = '1'; os.chdir('/')\ndef main(params):\n    left = Left(); left.me = left\n"
    assert worker.code(code).kind == "Succeeded"
    seen = worker.code("import os\ndef main(params):\n    return [os.environ.get('LEAK'), os.getcwd() == '/']\n")
    assert seen.result == [None, False]


def test_a_child_that_a_finalizer_forks_is_no_second_worker(worker: Worker) -> None:
    code = "import os\nclass Left:\n    def __del__(self): os.fork()\ndef main(params):\n    left = Left(); left.me = left\n"
    assert worker.code(code).kind == "Succeeded"
    assert [worker.run("conformance.echo", {"n": n}).result for n in range(3)] == [{"n": n} for n in range(3)]


def test_what_is_kept_is_not_frozen(tmp_path: Path) -> None:
    (tmp_path / "keeper.py").write_text(
        "import weakref\n"
        "from muster_worker import workflow\n"
        "class Entry: pass\n"
        "kept, seen = [], []\n"
        "@workflow\n"
        "def keep():\n"
        "    entry = Entry(); entry.me = entry; kept.append(entry); seen.append(weakref.ref(entry))\n"
        "@workflow\n"
        "def let_go():\n"
        "    kept.clear()\n"
        "@workflow\n"
        "def look():\n"
        "    return [one() is None for one in seen]\n"
    )
    with Worker(tmp_path) as worker:
        for workflow in ("keep", "look", "let_go"):
            worker.run(workflow)
        end = time.monotonic() + 30
        while worker.run("look").result != [True]:
            assert time.monotonic() < end, "what was let go of is still there"


def test_what_a_file_was_before_it_changed_is_let_go_of(tmp_path: Path) -> None:
    file = tmp_path / "changing.py"
    text = "import builtins, weakref\nfrom muster_worker import workflow\nclass Client: pass\nclient = Client()\n@workflow\ndef look():\n    return [%d, one() is None if one else None]\none = getattr(builtins, 'muster_test', None)\nbuiltins.muster_test = weakref.ref(client)\n"
    file.write_text(text % 1)
    with Worker(tmp_path) as worker:
        assert worker.run("look").result == [1, None]
        file.write_text(text % 22)
        worker.run("look")
        assert worker.run("look").result == [22, True]


@pytest.mark.parametrize("first", ["import colorsys, wave", "pass"])
def test_what_inline_code_kept_is_let_go_of(worker: Worker, first: str) -> None:
    code = "import sys, weakref\nclass Kept: pass\nkept = Kept()\nsys.muster_test = weakref.ref(kept)\ndef main(params):\n    %s\n"
    assert worker.code(code % first).kind == "Succeeded"
    assert worker.code("import sys\ndef main(params):\n    return sys.muster_test() is None\n").result


def test_what_a_run_kept_and_loaded_is_let_go_of_when_another_loads(worker: Worker) -> None:
    keeping = "import sys, weakref\nclass Kept: pass\ndef main(params):\n    import colorsys\n    sys.kept = [Kept()]; sys.kept.append(sys.kept)\n    sys.muster_test = weakref.ref(sys.kept[0])\n"
    assert worker.code(keeping).kind == "Succeeded"
    assert worker.code("import sys\ndef main(params):\n    import wave\n    del sys.kept\n").kind == "Succeeded"
    assert worker.code("import sys\ndef main(params):\n    return sys.muster_test() is None\n").result


def test_what_became_old_in_a_run_is_collected_after_it(worker: Worker) -> None:
    old = LEAVING + "    left = Left(); gc.collect(); gc.collect(1)\n"
    messages: List[Any] = []
    for _ in range(4):
        worker.start("inline", source=Inline("", old.encode()))
        messages += until_idle(worker)
    assert [lines(messages, run) for run in (1, 2, 3)] == [["logged", "printed", "Closed"]] * 3


def test_a_run_by_its_file_costs_no_collection_of_all(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import gc\ndef run(params):\n    return gc.get_stats()[2]['collections']\n")
    with Worker(tmp_path) as worker:
        seen = [worker.run("", source=Source("one.py", "run")).result for _ in range(200)]
    assert seen[-1] - seen[100] < 50, seen


def test_what_was_loaded_is_not_walked_again(worker: Worker) -> None:
    assert worker.code("import gc\ndef main(params):\n    return gc.get_freeze_count() > 5_000\n").result
    grown = "import gc\ndef main(params):\n    import asyncio, decimal, email.message\n    return gc.get_freeze_count()\n"
    before = worker.code(grown).result
    assert worker.code(grown).result > before
    assert worker.code("import gc\ndef main(params):\n    return len(gc.get_objects())\n").result < 2_000
