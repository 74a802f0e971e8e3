"""Parameters by the function's signature: nothing shifts, no digit is lost, and one bad annotation costs only itself."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Callable, Dict, Generic, List, Literal, NamedTuple, NewType, Optional, Tuple, TypedDict, TypeVar, Union

import pytest
from supervisor import Worker

from muster_worker import InvalidParameters
from muster_worker.binding import Signature
from muster_worker.wire.messages import Execute, Inline

if TYPE_CHECKING:
    from nowhere import Nothing


def called(function: Callable[..., Any], text: str) -> Any:
    """What the function returns for parameters given as JSON."""
    positional, keywords = Signature(function).arguments("w", text.encode())
    return function(*positional, **keywords)


def refused(function: Callable[..., Any], text: str) -> str:
    with pytest.raises(InvalidParameters) as caught:
        called(function, text)
    return str(caught.value)


def only(a, b=2, c=3, /):
    return [a, b, c]


def mixed(a, b=2, /, c=3, *, d=4, **rest):
    return [a, b, c, d, rest]


@pytest.mark.parametrize(
    "function, text, expected",
    [
        (only, '{"a": 1, "c": 9}', [1, 2, 9]),
        (only, '{"a": 1}', [1, 2, 3]),
        (only, '{"c": 9, "b": 8, "a": 7}', [7, 8, 9]),
        (mixed, '{"a": 1, "d": 9, "e": 5}', [1, 2, 3, 9, {"e": 5}]),
        (mixed, '{"a": 1, "c": 9}', [1, 2, 9, 4, {}]),
    ],
)
def test_nothing_moves_into_the_place_of_another(function: Any, text: str, expected: Any) -> None:
    assert called(function, text) == expected


def test_star_arguments() -> None:
    def star(*args: int, **options: int) -> Any:
        return [args, options]

    def star_only(*args: int) -> Any: ...

    assert called(star, '{"args": 1, "x": 2}') == [(), {"args": 1, "x": 2}]
    assert "'x' must be an integer, not 'y'" in refused(star, '{"x": "y"}')
    assert refused(star_only, '{"args": 1}').startswith("workflow 'w': 'args' is not a parameter (it takes")


def one(kind: Any) -> Callable[..., Any]:
    def function(p):
        return p

    function.__annotations__["p"] = kind
    return function


class Money(TypedDict):
    amount: Decimal


@dataclasses.dataclass
class Price:
    amount: Decimal
    note: Any = None
    parts: List[float] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        (Decimal, "1.234567890123456789", Decimal("1.234567890123456789")),
        (Decimal, "1.10", Decimal("1.10")),
        (Decimal, "1e400", Decimal("1e400")),
        (Decimal, "0.1", Decimal("0.1")),
        (Decimal, "12345678901234567890123", Decimal("12345678901234567890123")),
        (Decimal, '"1.234567890123456789"', Decimal("1.234567890123456789")),
        (List[Decimal], "[1.10, 2]", [Decimal("1.10"), Decimal(2)]),
        (Money, '{"amount": 1.234567890123456789}', {"amount": Decimal("1.234567890123456789")}),
        (Price, '{"amount": 1.10, "note": [0.5], "parts": [0.1]}', Price(Decimal("1.10"), [0.5], [0.1])),
        (Optional[Decimal], "1.10", Decimal("1.10")),
        (Union[int, Decimal], "1.5", Decimal("1.5")),
        (int, "123456789012345678.0", 123456789012345678),
        (int, "1e22", 10**22),
        (int, "1.2345678901234567e16", 12345678901234567),
        (int, "3.0", 3),
        (Dict[str, int], '{"a": 123456789012345678.0}', {"a": 123456789012345678}),
        (float, "0.1000000000000000055511151231257827", 0.1),
    ],
)
def test_no_digit_is_lost(kind: Any, text: str, expected: Any) -> None:
    value = called(one(kind), f'{{"p": {text}}}')
    assert value == expected and repr(value) == repr(expected)


@pytest.mark.parametrize(
    "kind, text, message",
    [
        (int, "3.5", "'p' must be an integer, not 3.5"),
        (int, "123456789012345678.5", "'p' must be an integer, not 123456789012345678.5"),
        (int, "1" + "0" * 5000, "'p' must be an integer, not 1000"),
        (int, "1e999999999", "'p' must be an integer, not 1e999999999"),
        (float, "1e400", "p is a number that no double holds; write it as a string"),
        (float, "1" + "0" * 400, "'p' is a number that no double holds"),
        (Union[float, Decimal, int], "1e400", "'p' is a number that no double holds"),
        (Union[Decimal, Dict[str, Any]], '{"x": [1e400]}', "'p.x[0]' is a number that no double holds"),
        (Price, '{"amount": 1, "note": {"deep": 1e400}}', "'p.note.deep' is a number that no double holds"),
    ],
)
def test_numbers_that_do_not_fit(kind: Any, text: str, message: str) -> None:
    # With an integer beside it, so that the digits are kept.
    assert message in refused(one(kind), f'{{"p": {text}}}')


def test_what_is_not_annotated_gets_doubles() -> None:
    def function(count: int, ratio, data: dict, rest: List[Any]):
        return [ratio, data, rest]

    ratio, data, rest = called(function, '{"count": 1, "ratio": 0.12345678901234567, "data": {"x": 0.12345678901234567}, "rest": [0.12345678901234567]}')
    assert [type(ratio), type(data["x"]), type(rest[0])] == [float] * 3
    assert "'data.x' is a number that no double holds" in refused(function, '{"count": 1, "ratio": 1, "data": {"x": 1e400}, "rest": []}')


class Swapped(enum.Enum):
    A = "B"
    B = "A"
    C = "c"


class Mixed(enum.Enum):
    YES = True
    ONE = 1
    PAIR = (1, 2)
    NONE = None


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        (Swapped, '"A"', Swapped.B),
        (Swapped, '"B"', Swapped.A),
        (Swapped, '"C"', Swapped.C),
        (Mixed, "true", Mixed.YES),
        (Mixed, "[1, 2]", Mixed.PAIR),
        (Mixed, "null", Mixed.NONE),
        (Level, "2", Level.HIGH),
        (Literal[Swapped.A, "x"], '"B"', Swapped.A),
        (Dict[Level, int], '{"2": 1}', {Level.HIGH: 1}),
        (Dict[int, str], '{"-5": "a"}', {-5: "a"}),
    ],
)
def test_an_enum_is_known_by_its_value(kind: Any, text: str, expected: Any) -> None:
    assert called(one(kind), f'{{"p": {text}}}') == expected


@pytest.mark.parametrize("key", ["1_000", " 5", "٣", "01", "+1", "1.0"])
def test_keys_that_only_python_takes_for_numbers(key: str) -> None:
    assert "must have integer keys" in refused(one(Dict[int, int]), json.dumps({"p": {key: 1}}))


@dataclasses.dataclass
class Order:
    id: int
    tags: List[str] = dataclasses.field(default_factory=list)


def test_lone_params_with_a_type_are_checked() -> None:
    def model(params: Order):
        return params

    def optional(params: Optional[Order] = None):
        return params

    def plain(params):
        return params

    assert called(model, '{"id": 1}') == Order(1)
    assert refused(model, '{"id": "x"}') == "workflow 'w': 'params.id' must be an integer, not 'x'"
    assert refused(model, "[]") == "workflow 'w': 'params' must be an object (Order), not []"
    assert refused(model, "null") == "workflow 'w': 'params' must be an object (Order), not None"
    assert (called(optional, ""), called(optional, '{"id": 2}')) == (None, Order(2))
    assert [called(plain, text) for text in ("[1]", "null", "1.5")] == [[1], None, 1.5]


@dataclasses.dataclass
class Half:
    good: int
    bad: Nothing


def test_an_annotation_that_cannot_be_resolved_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    def function(count: int, other: Nothing, third: "List[Nothing]", half: Half, ok: List[int] = []):  # noqa: B006
        return [count, other, third, half.bad]

    with caplog.at_level(logging.WARNING):
        assert called(function, '{"count": 1, "other": 2, "third": 3, "half": {"good": 1, "bad": "x"}}') == [1, 2, 3, "x"]
    text = refused(function, '{"count": "x", "other": 1, "third": 1, "ok": ["y"], "half": {"good": "z", "bad": 1}}')
    assert "'count' must be an integer" in text and "'ok[0]' must be an integer" in text and "'half.good' must be" in text
    warned = "\n".join(caplog.messages)
    assert "function: the annotation of 'other' cannot be resolved (name 'Nothing' is not defined)" in warned
    assert "'third'" in warned and "class Half: the annotation of 'bad'" in warned
    assert "'count'" not in warned and "'good'" not in warned


UserId = NewType("UserId", int)
Nested = NewType("Nested", List[UserId])  # type: ignore[valid-newtype]


class Point(NamedTuple):
    x: int
    y: int = 0
    label: Optional[str] = None


Item = TypeVar("Item")


@dataclasses.dataclass
class Box(Generic[Item]):
    count: int
    item: Item


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        (UserId, "5", 5),
        (Nested, "[5]", [5]),
        (Point, '{"x": 1}', Point(1)),
        (Point, '{"x": 1, "label": "a"}', Point(1, 0, "a")),
        (Point, "[1, 2]", Point(1, 2)),
        (List[Point], "[[1, 2], {\"x\": 3}]", [Point(1, 2), Point(3)]),
        (Box[int], '{"count": 1, "item": "any"}', Box(1, "any")),
        (collections.deque, "[1]", collections.deque([1])),
        (Tuple[Point, ...], "[[1]]", (Point(1),)),
    ],
)
def test_more_kinds(kind: Any, text: str, expected: Any) -> None:
    value = called(one(kind), f'{{"p": {text}}}')
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    "kind, text, message",
    [
        (UserId, '"x"', "'p' must be an integer, not 'x'"),
        (Nested, '["x"]', "'p[0]' must be an integer"),
        (Point, '{"y": 1}', "'p.x' is missing"),
        (Point, '{"x": 1, "lable": "a"}', "'p' has no field 'lable', did you mean 'label'?"),
        (Point, "[1, 2, 3, 4]", "'p' must have 3 items (x, y, label), not 4"),
        (Point, '["a"]', "'p[0]' must be an integer"),
        (Box[int], '{"count": "x", "item": 1}', "'p.count' must be an integer"),
    ],
)
def test_more_kinds_refused(kind: Any, text: str, message: str) -> None:
    assert message in refused(one(kind), f'{{"p": {text}}}')


class Node(TypedDict, total=False):
    inner: Node


def test_what_is_nested_too_deep_to_be_checked_is_refused_with_its_name() -> None:
    text = '{"p": ' + '{"inner": ' * 500 + "{}" + "}" * 500 + "}"
    try:
        called(one(Node), text)
    except InvalidParameters as refusal:
        assert "'p' is nested too deep" in str(refusal)


class Gt(NamedTuple):
    """As annotated-types has it."""

    gt: Any


class Len(NamedTuple):
    min_length: int
    max_length: Optional[int]


class Meta(NamedTuple):
    """As msgspec has it."""

    ge: Any
    pattern: Optional[str] = None


@pytest.mark.parametrize(
    "kind, good, bad, message",
    [
        (Annotated[int, Gt(0)], "1", "0", "'p' is 0: must be greater than 0"),
        (Annotated[str, Len(2, 3)], '"ab"', '"a"', "'p' is 'a': must have at least 2 characters"),
        (List[Annotated[int, Gt(0)]], "[1]", "[1, -1]", "'p[1]' is -1: must be greater than 0"),
        (Annotated[List[int], Len(0, 1)], "[1]", "[1, 2]", "'p' is [1, 2]: must have at most 1 items"),
        (Annotated[str, Meta(None, "^[a-z]+$")], '"abc"', '"ABC"', "'p' is 'ABC': must match '^[a-z]+$'"),
        (Annotated[Decimal, Gt(Decimal("0.1"))], "0.2", "0.10", "'p' is 0.10: must be greater than 0.1 "),
        (Annotated[Optional[int], Gt(0)], "null", "0", "must be greater than 0"),
        (Annotated[int, "a comment"], "1", '"x"', "'p' must be an integer"),
    ],
)
def test_constraints(kind: Any, good: str, bad: str, message: str) -> None:
    called(one(kind), f'{{"p": {good}}}')
    assert message in refused(one(kind), f'{{"p": {bad}}}')


def test_a_worker_hands_over_every_digit(shared: Worker) -> None:
    code = "from decimal import Decimal\nfrom muster_worker import workflow\n@workflow\ndef f(price: Decimal, count: int):\n    return [price, count]\n"
    shared._run += 1
    params = b'{"price": 1.234567890123456780, "count": 123456789012345678.0}'
    shared.send(Execute(shared._run, "id", 1, "w", Inline("", code.encode()), params, b"{}", 0, 0))
    assert shared.finish().result == ["1.234567890123456780", 123456789012345678]
