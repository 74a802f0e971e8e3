"""Workflows that are submitted by their functions, from an application and from other workflows."""

from __future__ import annotations

import asyncio
from typing import Iterator

import pytest
from installation import Installation
from muster_worker import testing, workflow

import muster_client
from muster_client import Options


@workflow
def greet(name: str = "world") -> dict:
    return {"greeting": f"Hello, {name}!"}


@workflow(name="echo")
def whole(params: object) -> object:
    return params


@workflow
def several(first: int, /, second: int = 2, *rest: int, third: int = 3, **more: int) -> int:
    return first


@workflow
def parent() -> str:
    child = greet.submit(name="Bo")
    with pytest.raises(RuntimeError, match="keep its `id`"):
        child.result()
    with pytest.raises(TypeError, match="_options"):
        greet.submit(_options=Options(priority=1))
    return child.id


@pytest.fixture(autouse=True)
def shared(installation: Installation) -> Iterator[None]:
    muster_client.configure(installation.url)
    yield
    muster_client.configure()


def test_from_an_application() -> None:
    assert greet(name="Ada") == {"greeting": "Hello, Ada!"}
    assert greet.submit(name="Ada").result(30) == {"greeting": "Hello, Ada!"}
    handle = greet.submit("Ada", _options=Options(priority=4))
    assert handle.result(30) == {"greeting": "Hello, Ada!"}
    assert handle.get().priority == 4
    assert whole.submit([1, 2]).result(30) == [1, 2]
    assert whole.submit({"a": 1}).result(30) == {"a": 1}


def test_in_a_coroutine() -> None:
    async def main() -> object:
        return await (await greet.submit_async(name="Ada")).result(30)

    assert asyncio.run(main()) == {"greeting": "Hello, Ada!"}
    assert asyncio.run(main()) == {"greeting": "Hello, Ada!"}, "each loop has a client of its own"


def test_a_call_that_does_not_fit_is_a_type_error_here() -> None:
    with pytest.raises(TypeError, match="'greet'.*nam"):
        greet.submit(nam="Ada")
    with pytest.raises(TypeError, match=r"\*rest"):
        several.submit(1, 2, 3)


def test_parameters_of_every_kind() -> None:
    run = testing.run(_submits_several)
    assert run.submitted[0].params == {"first": 1, "third": 5, "other": 6}


@workflow
def _submits_several() -> None:
    several.submit(1, third=5, other=6)


def test_in_a_workflow_it_goes_through_the_worker() -> None:
    run = testing.run(parent)
    assert (run.submitted[0].workflow, run.submitted[0].params) == ("greet", {"name": "Bo"})
    assert run.result == run.submitted[0].execution_id
