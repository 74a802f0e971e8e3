"""`replay`: the same run is the same, and whatever is not is shown with both sides."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest
from supervisor import environment
from transcripts import Transcript

from muster_worker.command import json_values
from muster_worker.wire.messages import Cancelled, CancelReason, ErrorInfo, Level, Rejected

SHOP = """
from muster_worker import context
def main(params):
    context.log.info("begins")
    seen = context.state.get("seen")
    context.state.set("seen", seen + 1)
    print("loud")
    context.log.warn(f"seen {seen}", n=seen)
    return {"seen": seen, "child": context.submit("next", {"n": 1})}
"""


def shop() -> Transcript:
    made = Transcript(SHOP).log("begins").call("state.get", {"key": "seen"}, 41)
    made.call("state.set", {"key": "seen", "value": 42}, None).log("seen 41", level=Level.Warn)
    return made.call("execution.submit", {"params": {"n": 1}, "workflow": "next"}, {"execution_id": "child-1"})


def replay(path: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command: List[str] = [sys.executable, "-m", "muster_worker", "replay", path, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)


def differs(folder: Path, transcript: Transcript, where: str, recorded: str, replayed: str, *arguments: str) -> str:
    done = replay(transcript.save(folder), *arguments)
    assert done.returncode == 1, done.stderr
    shown = f"first difference: {where}\n  recorded: {recorded}\n  replayed: {replayed}\n"
    assert shown in done.stderr, done.stderr
    return done.stderr


def same(folder: Path, transcript: Transcript, *arguments: str) -> Any:
    done = replay(transcript.save(folder), *arguments)
    assert (done.returncode, "first difference" in done.stderr) == (0, False), done.stderr
    return done


def test_a_success_is_the_same_and_its_result_alone_is_on_stdout(tmp_path: Path) -> None:
    done = same(tmp_path, shop().returns({"seen": 41, "child": "child-1"}))
    assert done.stdout == '{"seen": 41, "child": "child-1"}\n'
    for expected in ("the same: 3 calls, 2 log records, and the outcome", "WARN  w: seen 41 n=41", "loud"):
        assert expected in done.stderr
    outcome = 'Succeeded {"seen": 41, "child": "child-1"}'
    assert done.stderr.endswith(f"recorded outcome: {outcome}\nreplayed outcome: {outcome}\n")


def test_a_failure_is_the_same_and_shows_where_it_is(tmp_path: Path) -> None:
    code = "def main(params):\n    return 1 / params['n']\n"
    done = same(tmp_path, Transcript(code, {"n": 0}).raises("ZeroDivisionError", "division by zero"))
    assert done.stdout == ""
    assert "return 1 / params['n']" in done.stderr
    assert "replayed outcome: Failed ZeroDivisionError: division by zero" in done.stderr


def test_a_rejection_is_the_same(tmp_path: Path) -> None:
    same(tmp_path, Transcript("x = 1\n", started=False).finished(Rejected("in other words")))


def test_the_execution_is_the_recorded_one(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    return [context.execution_id, context.attempt, context.workflow, context.caller, params, context.remaining > 8]\n"
    made = Transcript(code, [1], {"caller": {"name": "Ada"}}, timeout_ms=9000)
    same(tmp_path, made.returns(["e-1", 2, "w", {"name": "Ada"}, [1], True]))


@pytest.mark.parametrize(
    "recorded, outcome, where, shown, now",
    [
        ("return 2", "return 1", "the result", "Succeeded 1", "Succeeded 2"),
        ("return True", "return 1", "the result", "Succeeded 1", "Succeeded true"),
        (
            "return {'a': [1, {'b c': 2}]}",
            "return {'a': [1, {'b c': 3}]}",
            "the result at .a[1]['b c']",
            'Succeeded {"a": [1, {"b c": 3}]}',
            'Succeeded {"a": [1, {"b c": 2}]}',
        ),
        ("return [1]", "return [1, 2]", "the result at [1]", "Succeeded [1, 2]", "Succeeded [1]"),
        ("return None", "raise", "the outcome", "Failed ValueError: wrong", "Succeeded null"),
        ("raise ValueError('other')", "raise", "the error", "Failed ValueError: wrong", "Failed ValueError: other"),
        ("raise KeyError('wrong')", "raise", "the error", "Failed ValueError: wrong", "Failed KeyError: key not found: 'wrong'"),
    ],
)
def test_another_outcome(tmp_path: Path, recorded: str, outcome: str, where: str, shown: str, now: str) -> None:
    made = Transcript(f"def main(params):\n    {recorded}\n")
    if outcome == "raise":
        made.raises("ValueError", "wrong")
    else:
        made.returns(eval(outcome[len("return ") :]))
    assert f"recorded outcome: {shown}\nreplayed outcome: {now}\n" in differs(tmp_path, made, where, shown, now)


def test_another_call_is_shown_and_answered_as_in_run(tmp_path: Path) -> None:
    made = Transcript(SHOP).log("begins").call("state.get", {"key": "sean"}, 1).returns(None)
    text = differs(tmp_path, made, "call 1", 'state.get {"key": "sean"}', 'state.get {"key": "seen"}')
    assert "failed: TypeError: unsupported operand type(s) for +: 'NoneType' and 'int'" in text
    assert 'no answer to call 1, state.get {"key": "seen"}: it was answered here as in `run`' in text


def test_calls_in_another_order_get_their_own_answers(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    return [context.state.get(key) for key in 'aabc']\n"
    made = Transcript(code)
    for key, answer in (("b", "B"), ("c", "C"), ("a", "A1"), ("a", "A2")):
        made.call("state.get", {"key": key}, answer)
    made.returns(["A1", "A2", "B", "C"])
    differs(tmp_path, made, "call 1", 'state.get {"key": "b"}', 'state.get {"key": "a"}')
    assert replay(made.save(tmp_path)).stdout == '["A1", "A2", "B", "C"]\n'


def test_a_key_that_had_no_value_has_none_again(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    return context.state.get('k')\n"
    same(tmp_path, Transcript(code).call("state.get", {"key": "k"}, None).returns(None))


def test_a_recorded_error_is_answered(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    context.state.get('k')\n"
    made = Transcript(code).call("state.get", {"key": "k"}, ErrorInfo("Busy", "too many")).raises("Busy", "too many")
    same(tmp_path, made)


def test_a_call_without_an_answer_is_not_waited_for(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    context.state.get('k')\n"
    done = replay(Transcript(code).asks("state.get", {"key": "k"}).ended("FAILED", error_type="WorkerCrashed").save(tmp_path))
    assert done.returncode == 1
    assert "which has no answer to call 1, state.get" in done.stderr


def test_a_call_that_is_missing_or_more(tmp_path: Path) -> None:
    made = Transcript("def main(params): pass\n").log("later").call("state.get", {"key": "a"}, 1).returns(None)
    differs(tmp_path, made, "log record 1", "INFO later", "nothing more")
    made = Transcript("def main(params): pass\n").call("state.get", {"key": "a"}, 1).log("later").returns(None)
    differs(tmp_path, made, "call 1", 'state.get {"key": "a"}', "nothing more")
    code = "from muster_worker import context\ndef main(params):\n    context.state.get('a')\n"
    differs(tmp_path, Transcript(code).returns(None), "call 1", "nothing more", 'state.get {"key": "a"}')


@pytest.mark.parametrize(
    "line, recorded, replayed",
    [
        ("logging.warning('a')", "INFO a", "WARN a"),
        ("logging.info('b')", "INFO a", "INFO b"),
        ("pass", "INFO a", "nothing more"),
        ("logging.info('a'); logging.debug('more')", "nothing more", "DEBUG more"),
    ],
)
def test_another_log(tmp_path: Path, line: str, recorded: str, replayed: str) -> None:
    made = Transcript(f"import logging\ndef main(params):\n    {line}\n").log("a").returns(None)
    where = f"log record {2 if recorded == 'nothing more' else 1}"
    differs(tmp_path, made, where, recorded, replayed)


def test_after_a_gap_logs_are_not_compared_and_calls_are_answered(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    for n in range(9): context.log.info(str(n))\n    return context.state.get('k')\n"
    made = Transcript(code).log("0", "1").dropped(4).log("8").call("state.get", {"key": "k"}, 7).returns(7)
    same(tmp_path, made)
    made = Transcript(code).log("0", "x").dropped(4).call("state.get", {"key": "k"}, 7).returns(7)
    differs(tmp_path, made, "log record 2", "INFO x", "INFO 1")


def test_after_a_gap_a_call_without_its_equal_is_no_difference(tmp_path: Path) -> None:
    code = """
from muster_worker import context
def main(params):
    try:
        context.state.get("lost")
    except Exception as error:
        return [str(error), context.state.get("k")]
"""
    text = "the recording has no (further) state.get with these params"
    made = Transcript(code).dropped(4).call("state.get", {"key": "k"}, 7).call("state.get", {"key": "unasked"}, 8)
    done = same(tmp_path, made.returns([text, 7]))
    assert done.stderr.count("4 frames of the recording were not kept") == 1
    made = Transcript(code).call("state.get", {"key": "first"}, 1).dropped(4).returns([text, 7])
    differs(tmp_path, made, "call 1", 'state.get {"key": "first"}', 'state.get {"key": "lost"}')


def test_a_success_whose_result_was_not_kept_is_the_same_when_it_succeeds_again(tmp_path: Path) -> None:
    done = same(tmp_path, Transcript("def main(params): return 1\n").dropped(1).ended("SUCCESS"))
    assert "recorded outcome: none, it was not kept; the record says SUCCESS\n" in done.stderr
    failing = replay(Transcript("def main(params): return 1 / 0\n").dropped(1).ended("SUCCESS").save(tmp_path))
    assert failing.returncode == 1, failing.stderr


def test_what_later_versions_add_is_passed_over(tmp_path: Path) -> None:
    made = shop()
    made.lines[0]["mood"] = "good"
    # A separator of lines in Unicode, but not in a transcript.
    made.line(note="new\u2028").line(to_worker={"Hibernate": {}}).line(to_supervisor={"Yawned": {"run": 3}})
    made.line(to_worker={"Ping": {"nonce": 1, "later": True}})
    made.lines.append({"no": "time"})
    same(tmp_path, made.returns({"seen": 41, "child": "child-1"}))


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda text: "", "it is empty; save one with `supervisor transcript ID --out FILE`"),
        (lambda text: "execution e-1, attempt 2: w\n" + text, "line 1 is not the head of a transcript"),
        (lambda text: text.split("\n", 1)[1], "line 1 is not the head of a transcript ('transcript' is missing)"),
        (lambda text: text.replace('"transcript": 1', '"transcript": 2'), "it has version 2, and this worker reads version 1"),
        (lambda text: text + '{"at_us": 5, "to_worker"', "line 15 cannot be read"),
        (lambda text: text + '\n\n{"at_us": 5, "to_worker": {"Dump": {}}}', "line 17 cannot be read: Dump lacks the field 'run'"),
        (lambda text: text + '{"to_worker": {"Dump": {"run": 3}}}', "line 15 cannot be read: 'at_us' is missing"),
        (lambda text: text.replace('"to_worker": {"Execute', '"to_worker": {"Executed'), "it has no Execute: the file is not whole"),
    ],
)
def test_files_that_are_no_transcripts(tmp_path: Path, change: Any, says: str) -> None:
    path = Path(shop().returns(None).save(tmp_path))
    path.write_text(change(path.read_text()))
    done = replay(str(path))
    assert done.returncode == 2
    assert f"{path} cannot be replayed because {says}" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = replay(str(tmp_path / "none"))
    assert (missing.returncode, "it cannot be opened: No such file" in missing.stderr) == (2, True)
    (tmp_path / "image").write_bytes(b"\x89PNG\xff")
    image = replay(str(tmp_path / "image"))
    assert (image.returncode, "it is not UTF-8 text" in image.stderr) == (2, True)


def test_without_its_execute_nothing_can_be_replayed(tmp_path: Path) -> None:
    made = Transcript("", started=False)
    made.lines.pop()
    done = replay(made.dropped(1).raises("ValueError", "wrong").save(tmp_path))
    assert done.returncode == 2
    assert "cannot be replayed because its Execute was not kept" in done.stderr


SLEEP = "import time\ndef main(params):\n    time.sleep(60)\n"
ASYNC_SLEEP = "import asyncio\nasync def main(params):\n    await asyncio.sleep(60)\n"
ANSWERED_NEVER = "from muster_worker import context\ndef main(params):\n    context.state.get('k')\n"


@pytest.mark.parametrize("code", [SLEEP, ASYNC_SLEEP, ANSWERED_NEVER])
def test_a_recorded_cancel_comes_as_long_after_started_as_it_did(tmp_path: Path, code: str) -> None:
    made = Transcript(code)
    if code == ANSWERED_NEVER:
        made.asks("state.get", {"key": "k"})
    made.wait(0.5).cancel().finished(Cancelled("please stop"))
    began = time.monotonic()
    done = same(tmp_path, made)
    assert 0.5 < time.monotonic() - began < 5
    assert "replayed outcome: Cancelled: please stop" in done.stderr


def test_a_cancel_before_started_comes_at_the_start(tmp_path: Path) -> None:
    made = Transcript(SLEEP, started=False).wait(60).cancel().finished(Cancelled("please stop"))
    same(tmp_path, made)


def test_the_timeout_holds(tmp_path: Path) -> None:
    made = Transcript(SLEEP, timeout_ms=300).wait(0.3).finished(Cancelled("over its time"))
    done = same(tmp_path, made)
    assert "replayed outcome: Cancelled: the time limit of 0.3 s passed" in done.stderr


def test_code_that_swallows_everything_is_ended_by_force(tmp_path: Path) -> None:
    code = "import time\ndef main(params):\n    while True:\n        try: time.sleep(60)\n        except BaseException: pass\n"
    made = Transcript(code, timeout_ms=200, grace_ms=100).cancel(CancelReason.Timeout)
    done = replay(made.ended("TIMEOUT", error_type="TimeoutError", error_message="killed").save(tmp_path))
    assert done.returncode == 1
    assert "try: time.sleep(60)" in done.stderr
    assert "recorded outcome: none, the worker was ended before it had one; the record says TIMEOUT TimeoutError: killed\n" in done.stderr
    assert "replayed outcome: none, it had to be ended by force" in done.stderr


def test_a_recording_that_breaks_off_is_followed_as_far_as_it_goes(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    context.log.info('a')\n    context.log.info('b')\n    return 1\n"
    ended = {"error_type": "WorkerCrashed", "error_message": "killed by signal 9"}
    done = replay(Transcript(code).log("a").ended("FAILED", **ended).save(tmp_path))
    assert (done.returncode, done.stdout) == (1, "1\n")
    assert "first difference" not in done.stderr
    assert "the record says FAILED WorkerCrashed: killed by signal 9\nreplayed outcome: Succeeded 1" in done.stderr
    differs(tmp_path, Transcript(code).log("x").ended("FAILED", **ended), "log record 1", "INFO x", "INFO a")


MASKED = """
from muster_worker import context
def main(params):
    key = context.config["key"]
    context.log.info(f"using {key}")
    context.state.set("k", {"token": context.config.get("token"), key: 1})
    if key == "***" or context.config.get("region") != "eu":
        raise ValueError(f"no login with {key}")
    return [key]
"""


def masked() -> Transcript:
    made = Transcript(MASKED, context={"config": {"key": "***", "region": "eu"}}).log("using ***")
    made.call("config.get", {"key": "token"}, {"id": 7, "value": "***"})
    return made.call("state.set", {"key": "k", "value": {"token": {"id": 7, "value": "***"}, "***": 1}}, None)


def test_masked_secrets_are_put_back(tmp_path: Path) -> None:
    done = same(tmp_path, masked().returns(["***"]), "--config", "key=hunter22", "--config", 'token={"id": 7, "value": "s3cret"}')
    assert done.stdout == '["hunter22"]\n'
    assert "masked" not in done.stderr
    (tmp_path / "secrets.json").write_text('{"key": "hunter22", "token": {"id": 7, "value": "s3cret"}}')
    same(tmp_path, masked().returns(["***"]), "--config", f"@{tmp_path / 'secrets.json'}")


def test_a_mask_stands_for_any_text(tmp_path: Path) -> None:
    # The value that is given now is also an ordinary word of the run, which the recording shows as it was.
    code = """
from muster_worker import context
def main(params):
    key = context.config["key"]
    context.log.info(f"the main loop uses {key} and {key[::-1]}")
    context.state.set("main", {"key": key, key: 1, "main": 2})
    raise ValueError(f"main refuses {key}")
"""
    made = Transcript(code, context={"config": {"key": "***"}}).log("the main loop uses *** and ***")
    made.call("state.set", {"key": "main", "value": {"key": "***", "***": 1, "main": 2}}, None)
    same(tmp_path, made.raises("ValueError", "main refuses ***"), "--config", "key=maintenance")
    other = Transcript(code, context={"config": {"key": "***"}}).log("the spare loop uses *** and ***")
    given = ("--config", "key=main")
    now = "INFO the main loop uses main and niam"
    differs(tmp_path, other, "log record 1", "INFO the spare loop uses *** and ***", now, *given)


@pytest.mark.parametrize(
    ("then", "now", "alike"),
    [
        ("key ***!", "key abc!", True),
        ("key ***!", "key !", True),
        ("key ***!", "key abc?", False),
        ("***-***-end", "a-b-end", True),
        ("***-***-end", "ab-end", False),
        ("***ab***ba", "abxa", False),
        ("plain", "plain", True),
        ("plain", "plainer", False),
        ({"a": ["***", 1]}, {"a": ["x", 1]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"***": 1}, {"tok-abcdef": 1}, True),
        ({"***": 1}, {"tok-abcdef": 2}, False),
        ({"a": 1, "***": 2}, {"a": 1, "b": 2}, True),
        ({"a": 1, "***": 2}, {"b": 1, "c": 2}, False),
        # The general key must leave the special one its own.
        ({"***": 1, "***-x": 1}, {"a-x": 1, "b": 1}, True),
        ({"***-x": 1, "***": 1}, {"b": 1, "a-x": 1}, True),
        ({"***": 1, "***-x": 1}, {"a": 1, "b": 1}, False),
    ],
)
def test_what_is_alike(then: object, now: object, alike: bool) -> None:
    assert json_values.same(then, now) is alike


def test_masked_secrets_that_are_not_given_are_named(tmp_path: Path) -> None:
    done = same(tmp_path, masked().raises("ValueError", "no login with ***"))
    assert "note: key is masked in the recording; put it back with --config key=VALUE" in done.stderr
    assert "note: token is masked in the recording" in done.stderr


def test_what_is_not_masked_stays_as_recorded(tmp_path: Path) -> None:
    done = same(tmp_path, masked().raises("ValueError", "no login with ***"), "--config", "region=us")
    assert "note: --config region: the recording masks no such value" in done.stderr


def test_workflow_files(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    made = Transcript(None, {"n": 2}).returns(4).save(tmp_path)
    none = replay(made, "--workflows-dir", str(folder))
    assert (none.returncode, f"there is no folder {folder}; name yours with --workflows-dir" in none.stderr) == (2, True)
    folder.mkdir()
    (folder / "a.py").write_text("from muster_worker import workflow\n@workflow\ndef w(n: int): return n * n\n")
    assert replay(made, "--workflows-dir", str(folder)).returncode == 0
    (folder / "b.py").write_text("from muster_worker import workflow\n@workflow\ndef w(n: int): return n\n")
    twice = replay(made, "--workflows-dir", str(folder))
    assert (twice.returncode, "two workflows are called 'w'" in twice.stderr) == (2, True)


def test_a_result_that_fits_no_frame_fails_as_in_a_worker(tmp_path: Path) -> None:
    message = "the outcome takes 17,000,062 bytes and a frame holds 16,777,215; store the data and return a reference"
    made = Transcript("def main(params): return 'x' * 17_000_000\n").raises("ResultTooLarge", message)
    same(tmp_path, made)


def test_usage(tmp_path: Path) -> None:
    made = shop().returns(None).save(tmp_path)
    wrong = replay(made, "--config", "key")
    assert (wrong.returncode, "write KEY=VALUE" in wrong.stderr) == (64, True)
    assert replay("--nonsense").returncode == 64
    shown = replay("--help")
    assert shown.returncode == 0
    assert "supervisor transcript ID --out failed.jsonl" in shown.stdout


FIXED = """
from muster_worker import context
def main(params):
    seen = context.state.get("seen")
    context.state.set("seen", seen + 1)
    context.state.set("note", "fixed")
    return [context.state.get("seen"), context.state.get("note"), bool(context.submit("next", {"n": 1}))]
"""


def test_a_run_that_goes_past_the_recording_is_seen_through_to_its_end(tmp_path: Path) -> None:
    made = Transcript(FIXED).call("state.get", {"key": "seen"}, 7).raises("TypeError", "no such thing")
    done = replay(made.save(tmp_path))
    assert done.returncode == 1, done.stderr
    assert done.stdout == '[8, "fixed", true]\n'
    for expected in (
        'past the recording, which has no answer to call 2, state.set {"key": "seen", "value": 8}: it and 4 more were',
        "recorded outcome: Failed TypeError: no such thing",
        'first difference: call 2\n  recorded: nothing more\n  replayed: state.set {"key": "seen", "value": 8}',
    ):
        assert expected in done.stderr, done.stderr


def test_past_the_recording_configuration_is_what_is_given(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    return context.config.get('new')\n"
    done = replay(Transcript(code).raises("KeyError", "old").save(tmp_path), "--config", "new=5")
    assert done.stdout == "5\n", done.stderr


def test_after_a_gap_nothing_is_made_up(tmp_path: Path) -> None:
    code = "from muster_worker import context\ndef main(params):\n    return context.state.get('lost')\n"
    done = replay(Transcript(code).dropped(3).raises("KeyError", "old").save(tmp_path))
    assert "failed: NotRecorded: the recording has no (further) state.get with these params" in done.stderr, done.stderr
