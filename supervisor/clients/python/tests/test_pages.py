"""Every block of Python on the pages for applications runs, in the order in which it stands there.

A block with the word `workflow` is a file of the workflows folder, one with `celery` shows what was before and is only read.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
from installation import REPOSITORY, Installation
from pages import blocks_of

import muster_client

PAGES = ["supervisor/clients/python/README.md", "supervisor/clients/MIGRATING.md", "README.md"]

SERVICES = """
def download(url, tries):
    if tries < 2:
        raise OSError("no page yet")
    return "the page, at the third attempt"

def pay(customer, amount):
    return f"paid {amount}"
"""

HELLO = """
from muster_worker import workflow

@workflow
def hello(name):
    return f"Hello, {name}!"
"""


@pytest.fixture
def restored() -> Iterator[None]:
    """What a page imports is forgotten after it."""
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("tasks", "workflows", "services"):
            del sys.modules[name]
    muster_client.configure()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored: None) -> None:
    folder = "tasks" if "MIGRATING" in page else "workflows"
    installation = Installation(tmp_path / "own", workflows_dir=tmp_path / folder)
    installation.workflows = tmp_path / folder
    installation.workflows.mkdir()
    installation.workflow("services.py", SERVICES)
    blocks = [one for one in blocks_of(REPOSITORY / page) if one.language == "python"]
    if page == "README.md":
        # The rest of it is about workflows and messages.
        blocks = [one for one in blocks if "muster_client" in one.code]
        installation.workflow("hello.py", HELLO)
    for block in blocks:
        if "workflow" in block.words:
            installation.workflow(f"{(block.words[1:] or ['greet'])[0]}.py", block.code)
    sys.path[:0] = [str(tmp_path), str(installation.workflows)]
    installation.start()
    monkeypatch.setenv("MUSTER_URL", installation.url)
    muster_client.configure()
    space: dict[str, Any] = {"__name__": "page"}
    try:
        for block in blocks:
            source = "\n" * block.line + block.code
            if "celery" in block.words:
                ast.parse(source)
            elif "workflow" not in block.words:
                exec(compile(source, page, "exec", dont_inherit=True), space)
    finally:
        installation.stop()
    assert blocks
