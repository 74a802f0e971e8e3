"""What a run leaves behind belongs to it: never to the run that is on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from supervisor import Run, Worker

from muster_worker.wire.messages import Call, Log, Progress

LEFT = """
import _thread, asyncio, concurrent.futures, contextvars, logging, multiprocessing.pool, threading, warnings
from muster_worker import context, workflow

on, done, outcomes = threading.Event(), threading.Event(), {}
own_pool, own_threads = concurrent.futures.ThreadPoolExecutor(1), multiprocessing.pool.ThreadPool(1)

CALLS = {
    "state.get": lambda: context.state.get("k"),
    "state.set": lambda: context.state.set("k", 1),
    "state.delete": lambda: context.state.delete("k"),
    "config.get": lambda: context.config.get("token"),
    "config[]": lambda: context.config["token"],
    "config.get unknown": lambda: context.config.get("no such"),
    "submit": lambda: context.submit("other"),
    "progress": lambda: context.progress(1, 2),
    "execution_id": lambda: context.execution_id,
    "organization": lambda: context.organization,
    "cancelled": lambda: context.cancelled,
    "log": lambda: context.log.info("late log"),
    "logging": lambda: logging.warning("late logging"),
    "print": lambda: print("late print"),
    "warn": lambda: warnings.warn("late warning"),
}

def outcome_of(call):
    try:
        return ["returned", call()]
    except Exception as error:
        return [type(error).__name__, getattr(error, "kind", None), str(error)]

def linger():
    on.wait()
    outcomes.update({name: outcome_of(call) for name, call in CALLS.items()})
    done.set()

class Own(threading.Thread):
    def run(self):
        linger()

async def linger_async():
    await asyncio.to_thread(on.wait)
    await asyncio.to_thread(linger)

def run_loop():
    asyncio.run(linger_async())

def in_task():
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(linger_async(), loop)

def chain():
    threading.Thread(target=lambda: threading.Thread(target=linger).start()).start()

def callback():
    future = own_pool.submit(on.wait)
    future.add_done_callback(lambda _: linger())

WAYS = {
    "thread": lambda: threading.Thread(target=linger, daemon=True).start(),
    "own thread": lambda: Own(daemon=True).start(),
    "thread of a thread": chain,
    "raw thread": lambda: _thread.start_new_thread(linger, ()),
    "timer": lambda: threading.Timer(0.01, linger).start(),
    "context": lambda: threading.Thread(target=contextvars.copy_context().run, args=(linger,)).start(),
    "pool": lambda: own_pool.submit(linger),
    "thread pool": lambda: own_threads.apply_async(linger),
    "map": lambda: own_threads.map_async(lambda _: linger(), [1]),
    "callback": callback,
    "loop": lambda: threading.Thread(target=run_loop).start(),
    "task": in_task,
}

@workflow
def leave(way: str):
    on.clear(), done.clear(), outcomes.clear()
    WAYS[way]()
    return context.execution_id

@workflow
def meet():
    context.log.info("my own line")
    on.set()
    assert done.wait(10), "what was left behind did not come back"
    return outcomes
"""

WAYS = [
    "thread", "own thread", "thread of a thread", "raw thread", "timer", "context", "pool", "thread pool", "map",
    "callback", "loop", "task",
]
REFUSED = ["state.get", "state.set", "state.delete", "config.get", "config[]", "config.get unknown", "submit", "progress"]
FIRST: Dict[str, Any] = {"config": {"token": "of the first"}, "organization": {"id": "1", "name": "first"}}
SECOND: Dict[str, Any] = {"config": {"token": "of the second"}, "organization": {"id": "2", "name": "second"}}


def late_lines(run: Run, of: int) -> List[str]:
    return [record.message for one in run.messages if isinstance(one, Log) and one.run == of for record in one.records]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_left_behind_stays_with_its_run(tmp_path: Path, way: str) -> None:
    (tmp_path / "left.py").write_text(LEFT)
    with Worker(tmp_path) as worker:
        first = worker.run("leave", {"way": way}, context=FIRST)
        second = worker.run("meet", context=SECOND)
        outcomes = second.result
        for name in REFUSED:
            assert outcomes[name][:2] == ["CallError", "Closed"], (name, outcomes[name])
            assert "the execution has ended" in outcomes[name][2] and first.result in outcomes[name][2]
        assert outcomes["execution_id"] == ["returned", first.result]
        assert outcomes["organization"] == ["returned", FIRST["organization"]]
        assert outcomes["cancelled"] == ["returned", True]
        for name in ("log", "logging", "print", "warn"):
            assert outcomes[name] == ["returned", None]
        assert second.lines == ["my own line"]
        late = late_lines(second, first.finished.run)
        assert late[:3] == ["late log", "late logging", "late print"] and "late warning" in late[3]
        assert not [one for one in second.messages if isinstance(one, (Call, Progress))]
        assert "late" not in worker.stderr
        assert "of the second" not in json.dumps(outcomes)


LEFT_TO_ITSELF = """
import threading
from muster_worker import workflow
on, left = threading.Event(), []
def linger():
    on.wait()
    %s
@workflow
def leave():
    left.append(threading.Thread(target=linger))
    left[0].start()
@workflow
def meet():
    on.set()
    left[0].join()
"""


def test_an_error_in_a_thread_left_behind_is_told_to_its_run(tmp_path: Path) -> None:
    (tmp_path / "left.py").write_text(LEFT_TO_ITSELF % "raise ValueError('left behind')")
    with Worker(tmp_path) as worker:
        first, second = worker.run("leave"), worker.run("meet")
        assert second.lines == []
        assert "ValueError: left behind" in late_lines(second, first.finished.run)
        assert "ValueError" not in worker.stderr


def test_a_flood_from_the_past_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "left.py").write_text(LEFT_TO_ITSELF % "for n in range(10_000): print('flood', n)")
    with Worker(tmp_path) as worker:
        first, second = worker.run("leave"), worker.run("meet")
        late = late_lines(second, first.finished.run)
        assert (len(late), late[0]) == (100, "flood 0")
        assert late[-1] == "the run goes on logging after its end; no more is kept"


def test_a_sleeper_of_an_ended_run_wakes_up(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(
        "import threading\n"
        "from muster_worker import context, workflow\n"
        "left = []\n"
        "@workflow\n"
        "def leave():\n"
        "    left.append(threading.Thread(target=lambda: context.sleep(60)))\n"
        "    left[0].start()\n"
        "@workflow\n"
        "def meet():\n"
        "    left[0].join(5)\n"
        "    return left[0].is_alive()\n"
    )
    with Worker(tmp_path) as worker:
        worker.run("leave")
        assert worker.run("meet").result is False


def test_a_thread_of_a_module_belongs_to_no_run(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(
        "import queue, threading\n"
        "from muster_worker import context, workflow\n"
        "asked, answers = queue.Queue(), queue.Queue()\n"
        "def serve():\n"
        "    while asked.get():\n"
        "        try: answers.put(context.execution_id)\n"
        "        except RuntimeError as error: answers.put(str(error))\n"
        "threading.Thread(target=serve, daemon=True).start()\n"
        "@workflow\n"
        "def ask():\n    asked.put(1)\n    return answers.get(timeout=5)\n"
    )
    with Worker(tmp_path) as worker:
        assert worker.run("ask").result.startswith("no execution is running here")
