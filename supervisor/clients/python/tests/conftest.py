"""Fixtures: one supervisor for all tests that leave it running, and one of its own for each that does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "worker" / "python"))

from installation import Installation

from muster_client import Client

WORKFLOWS = '''
import time
from typing import Any, Optional

from muster_worker import context, workflow

@workflow
def greet(name: str = "world") -> dict:
    context.log.info("greeting", name=name)
    return {"greeting": f"Hello, {name}!"}

@workflow
def echo(params: Any) -> Any:
    return params

@workflow
def told() -> Any:
    return {"attempt": context.attempt, "organization": context.organization, **context.raw}

@workflow
def broken(message: str) -> None:
    raise LookupError(message)

@workflow
def slow(seconds: float = 60) -> str:
    context.log.info("began")
    for one in range(int(seconds * 10)):
        context.sleep(0.1)
    context.log.info("ended")
    return "done"

@workflow
def count(lines: int) -> int:
    for one in range(lines):
        context.log.info(f"line {one} \\u2028 of it")
        if lines < 100:
            time.sleep(0.02)
    return lines

@workflow
def charge(customer: str, amount: int, currency: str = "EUR") -> str:
    return f"{customer} {amount} {currency}"
'''


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests counts, and no file beside them."""
    for name in list(os.environ):
        if name.startswith("MUSTER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def running(made: Installation) -> Iterator[Installation]:
    """Starts an installation with all workflows, and stops it when nobody needs it any more."""
    made.workflow("all.py", WORKFLOWS)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    yield from running(Installation(tmp_path_factory.mktemp("muster"), max_workers=4))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    """An installation that the test starts, stops and starts again."""
    yield from running(Installation(tmp_path / "own"))


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with Client(installation.url) as client:
        yield client
