"""Values that cannot be kept are refused with their place; what is only read is mended and never fails a run."""

from __future__ import annotations

import enum
import json
from typing import Any

import pytest
from muster_worker import InvalidParameters, InvalidResult
from muster_worker.params import read_params
from muster_worker.results import to_json
from muster_worker.wire.messages import Call, Ok, Progress, Reply
from supervisor import Run, Worker

HALF_PAIR = "holds half of a surrogate pair, which is no text; cut text between whole characters"
NUL = "holds the character U+0000, which databases do not keep; remove it"
TOO_LARGE = "is a number that no double holds; write it as a string"
KEEP_ONE = "JSON keys are strings, so keep one or rename it"


class Level(enum.IntEnum):
    LOW = 1


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value, message",
    [
        ({"a": [1, {"b c": "x\ud83d"}]}, f'result.a[1]["b c"] {HALF_PAIR}'),
        ({"a": {"k\ude00": 1}}, f"a key of result.a {HALF_PAIR}"),
        (["\0"], f"result[0] {NUL}"),
        ({"x\0": 1}, f"a key of result {NUL}"),
        ({"a": 10**400}, f"result.a {TOO_LARGE}"),
        ({"a": -(10**5000)}, f"result.a {TOO_LARGE}"),
        ({"a": (one for one in [])}, "result.a is of type builtins.generator; JSON has no such value; write list(...)"),
        ({1: 2, "1": 3}, f'result has the key "1" twice, of int and of str; {KEEP_ONE}'),
        ({"a": [{"b": {"null": 1, None: 2}}]}, f'result.a[0].b has the key "null" twice, of str and of NoneType; {KEEP_ONE}'),
        ({"text": "x" * 400, "a": {False: 1, "false": 2}}, f'result.a has the key "false" twice, of bool and of str; {KEEP_ONE}'),
        ({True: 1, "true": 2}, f'result has the key "true" twice, of bool and of str; {KEEP_ONE}'),
        ({-1e16: 1, "-1e+16": 2}, f'result has the key "-1e+16" twice, of float and of str; {KEEP_ONE}'),
        ({Level.LOW: 1, "1": 2}, f'result has the key "1" twice, of Level and of str; {KEEP_ONE}'),
        ({1: [float("nan")]}, 'result["1"][0] is NaN; JSON has no such number, write null or a string instead'),
        ([float("-inf")], "result[0] is -Infinity; JSON has no such number, write null or a string instead"),
    ],
)
def test_what_a_result_cannot_hold(value: Any, message: str) -> None:
    with pytest.raises(InvalidResult) as caught:
        to_json(value)
    assert str(caught.value) == f"the result is refused: {message}"


def test_a_coroutine_that_nobody_awaited() -> None:
    async def answer() -> int:
        return 1

    forgotten = answer()
    with pytest.raises(InvalidResult, match="result.a is of type builtins.coroutine; JSON has no such value; put await before"):
        to_json({"a": forgotten})
    forgotten.close()


@pytest.mark.parametrize("value", [{1: {"1": 2}, "2": [{"2": 1}, {2: 1}]}, {"true": 1, "x": {True: 1, None: 2, -1.5: 3}}])
def test_a_key_may_stand_in_several_objects(value: Any) -> None:
    assert to_json(value) == json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize("depth", [513, 900, 5000])
def test_too_deep(depth: int) -> None:
    with pytest.raises(InvalidResult, match="is nested more than 512 deep; flatten it"):
        to_json({"a": nested(depth - 1)})


@pytest.mark.parametrize(
    "value",
    [nested(512), [[1, "]]"]] * 1000, "\\u0000 \\ud83d", [2**53 + 1, 2**63, -0.0, 1e22, 0.12345678901234568, 2**1000], "\U0001f600"],
)
def test_what_a_result_holds(value: Any) -> None:
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize(
    "text, message",
    [
        (b'{"a":[1,1e400]}', f"params.a[1] {TOO_LARGE}"),
        (b"-1E+999", f"params {TOO_LARGE}"),
        (b"[1" + b"0" * 5000 + b"]", f"params[0] {TOO_LARGE}"),
        (b"[" * 100_000 + b"]" * 100_000, "params is nested more than 512 deep"),
    ],
)
def test_parameters_that_python_would_change(text: bytes, message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        read_params(text)
    assert str(caught.value).startswith(f"the parameters are refused: {message}")


@pytest.mark.parametrize(
    "call, message",
    [
        ("state.set('k', {'a': ['x\\ud83d']})", f"state.set is refused: value.a[0] {HALF_PAIR}"),
        ("state.set('k\\0', 1)", f"state.set is refused: key {NUL}"),
        ("state.get('k\\ud83d')", f"state.get is refused: key {HALF_PAIR}"),
        ("state.set('k', {'a': {2: 1, '2': 2}})", f'state.set is refused: value.a has the key "2" twice, of int and of str; {KEEP_ONE}'),
        ("submit('w', {1: 1, '1': 2})", f'execution.submit is refused: params has the key "1" twice, of int and of str; {KEEP_ONE}'),
        ("submit('w', {'n': 10**400})", f"execution.submit is refused: params.n {TOO_LARGE}"),
        ("submit('w', {'n': float('nan')})", "execution.submit is refused: params.n is NaN; JSON has no such number"),
    ],
)
def test_what_a_call_cannot_pass_on(shared: Worker, call: str, message: str) -> None:
    code = f"""
from muster_worker import CallError, context
def main(params):
    try:
        context.{call}
    except CallError as error:
        return [error.kind, str(error), error.retryable]
"""
    kind, text, retryable = shared.code(code).result
    assert (kind, retryable) == ("InvalidValue", False)
    assert text.startswith(message)


BAD = """
class Bad:
    def __str__(self): raise ValueError("no")
    __repr__ = __str__
bad = Bad()
"""


@pytest.mark.parametrize(
    "call",
    [
        "progress(float('inf'), float('nan'), 'x')",
        "progress(2**64, -1)",
        "progress(10**400, float('-inf'))",
        "progress('three', None, bad)",
        "progress(1, 2, 'x' * 17_000_000)",
        "progress(1, 2, 'half \\ud83d \\0')",
        "log.info('x' * 17_000_000)",
        "log.info('half \\ud83d \\0', **{'k\\ud83d\\0': '\\ude00'})",
        "log.info('m', message='x', self=1, level=2, logger=3)",
        "log.info(message='named')",
        "log.info()",
        "log.info('%d of %s', 1, bad)",
        "log.info('too many', 1, 2)",
        "log.warning(bad, bad=bad)",
        "log.error(Exception(bad), error=Exception(bad))",
    ],
)
def test_a_log_or_progress_call_never_fails_an_execution(shared: Worker, call: str) -> None:
    run = shared.code(f"from muster_worker import context\n{BAD}\ndef main(params):\n    context.{call}\n    return 1\n")
    assert run.result == 1
    sent = [one for one in run.messages if isinstance(one, Progress)]
    assert len(run.records) + len(sent) == 1
    for record in run.records:
        assert len(record.message.encode()) <= 65_536 and "\0" not in record.message
        assert record.fields == b"" or "\0" not in json.dumps(json.loads(record.fields), ensure_ascii=False)
        assert b"\\u" not in record.fields
    for progress in sent:
        assert max(progress.current, progress.total) < 2**53
        assert len(progress.message.encode()) <= 1024


def test_a_cut_text_says_so(shared: Worker) -> None:
    code = "from muster_worker import context\ndef main(params):\n    context.log.info('é' * 100_000)\n    context.progress(1, 2, 'é' * 10_000)\n"
    run = shared.code(code)
    (progress,) = [one for one in run.messages if isinstance(one, Progress)]
    assert run.lines[0].endswith(" ... [cut, 200000 bytes in all]")
    assert progress.message.endswith(" ... [cut, 20000 bytes in all]")


def test_a_field_that_is_no_json_costs_itself_only(shared: Worker) -> None:
    code = f"""
import datetime, decimal, logging
from muster_worker import context
{BAD}
def main(params):
    loop = []
    loop.append(loop)
    fields = dict(nan=float("nan"), ok=[1, "x"], key={{(1, 2): 3}}, raw=b"x", at=datetime.date(2026, 1, 2), loop=loop,
                  price=decimal.Decimal("1.10"), some={{1}}, half="\\ud83d", large=10**400, bad=bad, zero="\\0", deep={{"inf": [float("inf")]}}, twice={{1: 2, "1": 3}})
    context.log.info("m", **fields)
    logging.info("m", extra=fields)
"""
    expected = {
        "nan": "nan",
        "ok": [1, "x"],
        "key": {"(1, 2)": 3},
        "raw": "b'x'",
        "at": "2026-01-02",
        "loop": ["[seen above]"],
        "price": "1.10",
        "some": [1],
        "half": "\ufffd",
        "zero": "\ufffd",
        "deep": {"inf": ["inf"]},
        "large": "1" + "0" * 400,
        "twice": {"1": 2, "1 (str)": 3},
        "bad": "<Bad, repr raised ValueError>",
    }
    run = shared.code(code)
    assert run.kind == "Succeeded", run.outcome
    assert [json.loads(record.fields) for record in run.records] == [expected, expected]


@pytest.mark.parametrize(
    "body, kind, message",
    [
        ("raise ValueError('half \\ud83d \\0')", "ValueError", "half \ufffd \ufffd"),
        ("raise MemoryError()", "OutOfMemory", "the workflow asked for more memory than the worker may have"),
        ("return ['x' * (1 << 60)]", "OutOfMemory", "the workflow asked for more memory than the worker may have"),
        ("raise Odd('odd')", "Odd", "odd"),
        ("error = ValueError('round'); error.__cause__ = error; raise error", "ValueError", "round"),
    ],
)
def test_any_error_can_be_described(shared: Worker, body: str, kind: str, message: str) -> None:
    odd = "class Odd(Exception):\n    @property\n    def retryable(self): raise KeyError('no')\n"
    run: Run = shared.code(f"{odd}def main(params):\n    {body}\n")
    assert (run.error.kind, run.error.message) == (kind, message)


def test_what_is_passed_on_arrives_as_it_was_given(worker: Worker) -> None:
    code = "from muster_worker import context\ndef main(params):\n    context.state.set('k', {'zz': 12345678901234567890123, 'aa': -0.0})\n"
    run = worker.start_code(code)
    call = worker.expect(Call)
    assert call.params == b'{"key":"k","value":{"zz":12345678901234567890123,"aa":-0.0}}'
    worker.send(Reply(run, call.call, Ok(b"")))
    assert worker.finish().kind == "Succeeded"
