"""pydantic, numpy and pandas, where they are installed: models by alias both ways, hints for what JSON does not have."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any, List

import pytest
from test_binding import called, one, refused

from muster_worker import InvalidResult
from muster_worker.results import to_json


def models() -> Any:
    pydantic = pytest.importorskip("pydantic")

    class Line(pydantic.BaseModel):
        unit_price: Decimal = pydantic.Field(alias="unitPrice", gt=0)
        ratio: float = 0.5
        anything: Any = None

    class Order(pydantic.BaseModel):
        order_lines: List[Line] = pydantic.Field(alias="orderLines")

    @pydantic.dataclasses.dataclass
    class Place:
        city: str
        zip_code: str = pydantic.Field(alias="zipCode", default="")

    return pydantic, Line, Order, Place


def test_a_model_goes_out_by_the_names_it_comes_in_by() -> None:
    _, _, Order, _ = models()
    order = called(one(Order), '{"p": {"orderLines": [{"unitPrice": 1.234567890123456789, "ratio": 0.25, "anything": 0.5}]}}')
    assert order.order_lines[0].unit_price == Decimal("1.234567890123456789")
    text = to_json({"order": order})
    assert text == b'{"order":{"orderLines":[{"unitPrice":"1.234567890123456789","ratio":0.25,"anything":0.5}]}}'
    assert called(one(Order), '{"p": %s}' % to_json(order).decode()) == order


def test_a_models_problems_have_their_place() -> None:
    _, _, Order, Place = models()
    text = refused(one(Order), '{"p": {"orderLines": [{"unitPrice": 0}, {}]}}')
    assert "'p.orderLines[0].unitPrice': Input should be greater than 0" in text
    assert "'p.orderLines[1].unitPrice': Field required" in text
    assert called(one(Place), '{"p": {"city": "x", "zipCode": "1"}}').zip_code == "1"
    assert "'p.city'" in refused(one(Place), '{"p": {}}')


def test_a_lone_model_is_checked() -> None:
    _, _, Order, _ = models()

    def function(params: Any) -> Any:
        return params

    function.__annotations__["params"] = Order
    assert called(function, '{"orderLines": []}').order_lines == []
    assert "'params.orderLines': Field required" in refused(function, "{}")


def test_annotated_fields_of_pydantic() -> None:
    pydantic, *_ = models()
    from typing import Annotated

    positive = Annotated[int, pydantic.Field(gt=0)]
    even = Annotated[int, pydantic.AfterValidator(lambda value: value if value % 2 == 0 else 1 / 0 if value < 0 else (_ for _ in ()).throw(ValueError("odd")))]
    assert called(one(positive), '{"p": 1}') == 1
    assert "'p' is 0: Input should be greater than 0" in refused(one(positive), '{"p": 0}')
    assert "'p' must be an integer, not '1'" in refused(one(positive), '{"p": "1"}')
    assert "odd" in refused(one(even), '{"p": 3}')
    assert "'p[0]' is 'A'" in refused(one(List[Annotated[str, pydantic.Field(pattern="^[a-z]$")]]), '{"p": ["A"]}')


def test_pydantic_of_version_1() -> None:
    pytest.importorskip("pydantic")
    v1 = pytest.importorskip("pydantic.v1") if sys.version_info < (3, 14) else pytest.skip("not for this Python")

    class Old(v1.BaseModel):
        unit_price: int = v1.Field(alias="unitPrice")

    old = called(one(Old), '{"p": {"unitPrice": 1}}')
    assert old.unit_price == 1
    assert to_json(old) == b'{"unitPrice":1}'
    assert "'p.unitPrice'" in refused(one(Old), '{"p": {}}')


@pytest.mark.parametrize(
    "expression, message",
    [
        ("numpy.int64(1)", "result.x is of type numpy.int64; JSON has no such value; write .item()"),
        ("numpy.bool_(1)", "write .item()"),
        ("numpy.arange(3)", "result.x is of type numpy.ndarray; JSON has no such value; write .tolist()"),
        ("numpy.datetime64('2026-01-01')", "write str(...)"),
        ("numpy.float64('nan')", "result.x is NaN"),
        ("pandas.DataFrame({'a': [1]})", 'write .to_dict("records")'),
        ("pandas.Series([1])", "write .tolist(), or .to_dict() to keep the index"),
        ("pandas.NaT", "write None"),
        ("pandas.NA", "write None"),
    ],
)
def test_what_json_does_not_have_comes_with_a_hint(expression: str, message: str) -> None:
    pytest.importorskip("pandas")
    value = eval(expression, {"numpy": pytest.importorskip("numpy"), "pandas": pytest.importorskip("pandas")})
    with pytest.raises(InvalidResult) as caught:
        to_json({"x": value})
    assert message in str(caught.value)


def test_what_of_pandas_is_json() -> None:
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    assert to_json([pandas.Timestamp("2026-01-02"), numpy.float64(1.5)]) == b'["2026-01-02T00:00:00",1.5]'
