"""Every block of code of README and documentation runs, in the order of its page, against the real supervisor."""

from __future__ import annotations

import ast
import json
import re
import sys
import time
from pathlib import Path

import pytest
from blocks import CODE, PROSE, WORDS, Block, blocks_of, indented
from stage import REPOSITORY, BlockFailure, Stage, expect_lines, expect_printed

sys.path.insert(0, str(REPOSITORY / "supervisor/docs"))
OWN = Path("supervisor/docs/pages")
#: Pages that stand beside what they describe. `site.py` brings them into the site.
BESIDE = re.findall(r'^    "([^"]+\.md)": "', (REPOSITORY / "supervisor/docs/site.py").read_text(), re.MULTILINE)
PAGES = sorted([*BESIDE, "supervisor/deploy/npm.md", *(str(one.relative_to(REPOSITORY)) for one in (REPOSITORY / OWN).rglob("*.md"))])
#: What is generated from the code is no page that somebody follows.
GENERATED = "<!-- generated"
#: Blocks that other suites hold to what they say.
ELSEWHERE = {
    ("protocol/SPEC.md", "frame"): "protocol/tests/wire/specification.rs",
    ("protocol/SPEC.md", "line"): "protocol/tests/wire/specification.rs",
    ("protocol/SPEC.md", "python"): "tests/tests/workers/minimal.rs",
}
#: A page with this line installs what it needs by itself.
BARE = "<!-- installed by this page -->"

#: What a page shows of a state that comes about is asked for again until it is there.
EVENTUALLY_SECONDS = 20.0

counts = {"run": 0, "read": 0, "held elsewhere": 0, "not run": 0}
reasons: list[str] = []


PAGES = [page for page in PAGES if not (REPOSITORY / page).read_text().startswith(GENERATED)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    problems = [f"{page}:{line}: code that is indented: fence it" for line in indented(REPOSITORY / page)]
    for block in blocks_of(REPOSITORY / page, page):
        if block.language not in CODE | PROSE and (page, block.language) not in ELSEWHERE:
            problems.append(f"{block.place}: {block.language or 'no language'}: one of {', '.join(sorted(CODE | PROSE))}")
        if unknown := set(block.words) - WORDS | set(block.options) - {"file", "in"}:
            if (page, block.language) not in ELSEWHERE:
                problems.append(f"{block.place}: {', '.join(unknown)}: no word that a test knows")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page: str, tmp_path: Path) -> None:
    blocks = [block for block in blocks_of(REPOSITORY / page, page) if block.language not in PROSE]
    to_run = [block for block in blocks if counted(block) == "run"]
    if not to_run:
        return
    stage = Stage(tmp_path / "page", bare=BARE in (REPOSITORY / page).read_text())
    failed = ""
    try:
        for block in to_run:
            try:
                run(stage, block)
            except BlockFailure as failure:
                failed = f"{block.place}\n{block.code}\n{failure}"
                break
    finally:
        stage.end()
    if failed:
        pytest.fail(failed, pytrace=False)


def counted(block: Block) -> str:
    """What becomes of a block; it is counted."""
    if (block.page, block.language) in ELSEWHERE:
        kind = "held elsewhere"
    elif block.reason:
        kind = "not run"
        reasons.append(f"{block.place}: {block.reason}")
    elif "before" in block.words:
        kind = "read"
        if block.language == "python":
            ast.parse(block.code)
    else:
        kind = "run"
    if not block.hidden:
        counts[kind] += 1
    return kind


def run(stage: Stage, block: Block) -> None:
    """Does what a reader of the page would do with it."""
    file = block.options.get("file")
    if file:
        stage.write(file, block.code)
    if block.language in ("sh", "console"):
        shell(stage, block)
    elif block.language == "python":
        if file and "pytest" in block.words:
            stage.commands(f"python3 -m pytest -q -p no:cacheprovider {file}")
        elif file:
            ast.parse(block.code)
        else:
            expect_printed(block.code, stage.python(block.code, block.page, block.line))
    elif block.language == "js":
        if file:
            stage.commands(f"node --check {file}" if file.endswith(".mjs") else f"cp {file} check.mjs && node --check check.mjs && rm check.mjs")
            if "test" in block.words:
                stage.commands(f"node --test {file}")
        else:
            expect_printed(block.code, stage.node(block.code, test="test" in block.words))
    elif block.language == "toml":
        toml(stage, block, file)
    elif block.language == "json":
        json.loads(block.code)
    elif block.language == "rust":
        held_by_source(block)


def shell(stage: Stage, block: Block) -> None:
    if "serve" in block.words:
        return stage.serve(block.code)
    if block.options.get("file"):
        return None
    if not re.search(r"^\$ ", block.code, re.MULTILINE):
        return stage.commands(block.code)
    for command, wanted in re.findall(r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n)*)", block.code, re.MULTILINE):
        tried_until = time.monotonic() + (EVENTUALLY_SECONDS if "eventually" in block.words and wanted.strip() else 0)
        while True:
            status, printed = stage.shell(command + "\n")
            try:
                if wanted.strip():
                    expect_lines(wanted, printed)
                elif status:
                    raise BlockFailure(f"{command}: exit {status}: {printed}")
            except BlockFailure:
                if time.monotonic() < tried_until:
                    continue
                raise
            break
    return None


def toml(stage: Stage, block: Block, file: str | None) -> None:
    """Settings are loaded, definitions applied without effect, by the real supervisor."""
    name = file or "block.toml"
    stage.write(name, block.code)
    if "settings" in block.words:
        stage.commands(f"env -u MUSTER_MAX_WORKERS -u MUSTER_MIN_WORKERS supervisor config --config {name} >/dev/null")
    elif "definitions" in block.words:
        stage.commands(f"supervisor apply {name} --dry-run")
    else:
        raise BlockFailure("TOML is `settings` or `definitions`")


def held_by_source(block: Block) -> None:
    """Rust is compiled by the tests of its package: the block must stand there, line by line."""
    source = block.options.get("in")
    if not source:
        raise BlockFailure("Rust names the source that it stands in: in=PATH")
    lines = [line.strip().removeprefix("//! ") for line in (REPOSITORY / source).read_text().split("\n")]
    wanted = [line.strip() for line in block.code.strip().split("\n")]
    if not any(lines[at : at + len(wanted)] == wanted for at in range(len(lines))):
        raise BlockFailure(f"it does not stand in {source}")
