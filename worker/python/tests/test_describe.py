"""What the worker describes of its workflows, and what it leaves to a supervisor that listens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from supervisor import Worker

from muster_worker import workflow
from muster_worker.wire.messages import FEATURES, WorkflowDescription
from muster_worker.workflow import definition_of

REPORT = """
import time
from muster_worker import workflow

class Busy(Exception): pass

@workflow(timeout=0.2, retries=3, backoff=5, backoff_factor=1.5, retry_on=[Busy, "Later"], max_concurrent=2,
          key="organization", limits=["crm"], queue="slow")
def report(seconds: float, day: str = "today"):
    '''Writes the
    report.

    And more.'''
    time.sleep(seconds)
    return day
"""


def described(worker: Worker) -> Dict[str, WorkflowDescription]:
    return {one.name: one for message in worker.described for one in message.workflows}


def test_what_is_declared_is_described_before_ready(tmp_path: Path) -> None:
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / "report.py").write_text(REPORT)
    (tmp_path / "broken.py").write_text("from muster_worker import workflow\nimport nothing_of_this_name\n")
    with Worker(tmp_path) as worker:
        one = described(worker)["report"]
        assert (one.description, one.source_file) == ("Writes the report.", "daily/report.py")
        assert one.timeout_ms == 200
        assert one.retry == (4, 5000, 150, None, ["Busy", "Later"], [])
        assert one.concurrency == (None, 2, "organization", "")
        assert (one.limits, one.queue) == (["crm"], "slow")
        assert json.loads(one.parameters) == {
            "type": "object",
            "properties": {"seconds": {"type": "number"}, "day": {"type": "string", "default": "today"}},
            "required": ["seconds"],
            "additionalProperties": False,
        }
        (message,) = worker.described
        assert message.replaces
        (broken,) = message.broken
        assert (broken.file, broken.error.kind) == ("broken.py", "ModuleNotFoundError")


def test_the_limit_is_the_supervisors_if_it_listens(tmp_path: Path) -> None:
    (tmp_path / "report.py").write_text(REPORT)
    with Worker(tmp_path) as worker:
        assert worker.run("report", {"seconds": 0.5}).result == "today"
    deaf = [one for one in FEATURES if one != "describe"]
    with Worker(tmp_path, features=deaf) as worker:
        assert not worker.described
        assert worker.run("report", {"seconds": 30}).error.kind == "WorkflowTimeout"


def test_what_changed_is_described_anew(tmp_path: Path) -> None:
    file = tmp_path / "report.py"
    file.write_text(REPORT)
    with Worker(tmp_path) as worker:
        worker.run("report", {"seconds": 0})
        assert len(worker.described) == 1
        file.write_text(REPORT.replace("timeout=0.2", "timeout=40"))
        worker.run("report", {"seconds": 0})
        assert [described(worker)["report"].timeout_ms, len(worker.described)] == [40_000, 2]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the annotations are written as they are today")
@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("int", {"type": "integer"}),
        ("float | None", {"anyOf": [{"type": "number"}, {"type": "null"}]}),
        ("list[str]", {"type": "array", "items": {"type": "string"}}),
        ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("tuple[int, str]", {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2}),
        ("Literal['a', 2, None]", {"enum": ["a", 2, None]}),
        ("Mode", {"enum": ["fast", True, "FAST", "EXACT"]}),
        ("Decimal", {"type": ["string", "number"]}),
        ("date", {"type": "string", "format": "date"}),
        ("Annotated[int, Bound(ge=1)]", {"type": "integer", "minimum": 1}),
        ("Pair", {}),
        ("Any", {}),
        ("'NotThere'", {}),
        ("int | Pair", {}),
        ("Callable[[int], str]", {}),
    ],
)
def test_annotations(annotation: str, schema: Any) -> None:
    space: Dict[str, Any] = {"workflow": workflow}
    exec(
        f"""
import enum
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Callable, Literal, NamedTuple
class Mode(enum.Enum): FAST = "fast"; EXACT = True
class Pair(NamedTuple):
    a: int
    b: int
@dataclass
class Bound:
    ge: Any = None
@workflow
def job(value: {annotation}): pass
""",
        space,
    )
    definition = definition_of(space["job"])
    assert definition is not None
    assert json.loads(definition.signature.schema())["properties"]["value"] == schema


def test_a_class_that_holds_itself() -> None:
    space: Dict[str, Any] = {"workflow": workflow}
    source = """
from dataclasses import dataclass
from typing import List
@dataclass
class Node:
    name: str
    children: List["Node"]
@workflow
def job(params: Node): pass
"""
    exec(source, space)
    definition = definition_of(space["job"])
    assert definition is not None
    made = json.loads(definition.signature.schema())
    assert made["$ref"] == "#/$defs/Node"


def test_mistakes_are_named() -> None:
    for wrong, message in [
        ({"timeout": 0}, "workflow timeout 0: it must be a number of seconds above 0"),
        ({"retries": -1}, "workflow retries -1: it must be a whole number of at least 0"),
        ({"backoff": "5"}, "workflow backoff '5': it must be a number of at least 0"),
        ({"max_concurrent": True}, "workflow max_concurrent True"),
        ({"limits": list("abcde")}, "at most 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            workflow(**wrong)  # type: ignore[call-overload]
