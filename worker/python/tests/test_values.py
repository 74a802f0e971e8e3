"""Parameters in, results out: what fits, what is converted, what is refused and how."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any, Dict, List, Literal, Optional, Tuple, TypedDict, Union

import pytest

from muster_worker import InvalidParameters, InvalidResult
from muster_worker.binding import Signature
from muster_worker.conversion import Mismatch, convert
from muster_worker.results import to_json


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


@dataclasses.dataclass
class Line:
    sku: str
    count: int = 1


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    lines: List[Line]
    note: Optional[str] = None


class Address(TypedDict):
    street: str


ID = "0190a3c4-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "kind, value, expected",
    [
        (int, 3.0, 3),
        (float, 3, 3.0),
        (Optional[int], None, None),
        (Union[int, str], "x", "x"),
        (Union[float, int], 3, 3),
        (List[int], [1, 2], [1, 2]),
        (Tuple[int, str], [1, "a"], (1, "a")),
        (Tuple[int, ...], [1, 2], (1, 2)),
        (Dict[int, str], {"1": "a"}, {1: "a"}),
        (set, [1, 1], {1}),
        (Literal["a", 1], 1, 1),
        (Colour, "red", Colour.RED),
        (Colour, "BLUE", Colour.BLUE),
        (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
        (datetime.datetime, "2026-01-02T03:04:05Z", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)),
        (datetime.timedelta, 1.5, datetime.timedelta(seconds=1.5)),
        (decimal.Decimal, 1.1, decimal.Decimal("1.1")),
        (pathlib.Path, "/tmp", pathlib.Path("/tmp")),
        (uuid.UUID, ID, uuid.UUID(ID)),
        (Order, {"id": ID, "lines": [{"sku": "a"}]}, Order(uuid.UUID(ID), [Line("a")])),
        (Address, {"street": "x", "extra": 1}, {"street": "x", "extra": 1}),
        (Any, object, object),
    ],
)
def test_converted(kind: Any, value: Any, expected: Any) -> None:
    assert convert(kind, value, "p") == expected
    assert type(convert(kind, value, "p")) is type(expected)


@pytest.mark.parametrize(
    "kind, value, message",
    [
        (int, "3", "'p' must be an integer, not '3'"),
        (int, True, "'p' must be an integer"),
        (int, 3.5, "'p' must be an integer"),
        (bool, 1, "'p' must be a boolean"),
        (str, 1, "'p' must be a string"),
        (List[int], [1, "x"], "'p[1]' must be an integer"),
        (Dict[str, int], {"a": "x"}, "'p.a' must be an integer"),
        (Optional[int], "x", "'p' must be an integer"),
        (Literal["a", "b"], "c", "'p' must be one of 'a', 'b'"),
        (Colour, "green", "'p' must be one of 'red', 2"),
        (Order, {"id": ID}, "'p.lines' is missing"),
        (Order, {"id": ID, "lines": [{"sku": 1}]}, "'p.lines[0].sku' must be a string"),
        (Line, {"sku": "a", "cuont": 1}, "'p' has no field 'cuont'"),
        (uuid.UUID, "x", "'p' must be a UUID, not 'x'"),
        (Address, {}, "'p.street' is missing"),
    ],
)
def test_refused(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(Mismatch) as caught:
        convert(kind, value, "p")
    assert message in str(caught.value)


def test_all_problems_in_one_message() -> None:
    def charge(amount: int, currency: str, note: str = "") -> None: ...

    with pytest.raises(InvalidParameters) as caught:
        Signature(charge).bind("charge", {"amount": "x", "curency": "EUR"})
    text = str(caught.value)
    assert "'amount' must be an integer" in text
    assert "'currency' is missing" in text
    assert "did you mean 'currency'?" in text
    assert "note: str = ''" in text


def test_shapes_of_signatures() -> None:
    def whole(params): ...
    def nothing(): ...
    def rest(a, **others): ...
    def positional(a, /, b, *, c=3): ...

    assert Signature(whole).bind("w", [1]) == ([[1]], {})
    assert Signature(nothing).bind("w", {}) == ([], {})
    assert Signature(rest).bind("w", {"a": 1, "b": 2}) == ([], {"a": 1, "b": 2})
    assert Signature(positional).bind("w", {"a": 1, "b": 2}) == ([1], {"b": 2})
    with pytest.raises(InvalidParameters, match="send a JSON object, not an array"):
        Signature(nothing).bind("w", [])


@pytest.mark.parametrize(
    "value, expected",
    [
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(seconds=2), 2.0),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(ID), ID),
        (Colour.BLUE, 2),
        (Line("a"), {"sku": "a", "count": 1}),
        ((1, {2}), [1, [2]]),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        ("ü\n€", "ü\n€"),
    ],
)
def test_results(value: Any, expected: Any) -> None:
    assert json.loads(to_json(value)) == expected


LOOP: List[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value, message",
    [
        ({"a": [1, float("nan")]}, "result.a[1] is NaN"),
        (b"x", "result is bytes; decode them"),
        ({"a": {(1, 2): 3}}, "a key of result.a is tuple"),
        ([object()], "result[0] is of type builtins.object"),
        (LOOP, "contains itself"),
        ("\ud800", "half of a surrogate pair"),
        (test_results, "result is of type builtins.function"),
    ],
)
def test_no_results(value: Any, message: str) -> None:
    with pytest.raises(InvalidResult) as caught:
        to_json(value)
    assert message in str(caught.value)
