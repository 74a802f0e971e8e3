"""A workflow runs with the helpers that are there, whoever has loaded, broken or removed them in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from supervisor import Worker

HEAD = "from muster_worker import workflow\n"
THROUGH = {
    "directly": {"b": f"{HEAD}import helper\n@workflow\ndef b():\n    return helper.V\n"},
    "through another": {"b": f"{HEAD}import between\n@workflow\ndef b():\n    return between.helper.V\n", "between": "import helper\n"},
    "both ways": {"b": f"{HEAD}import between, helper\n@workflow\ndef b():\n    return max(between.V, helper.V) if between.V == helper.V else 'mixed'\n", "between": "from helper import V\n"},
    "by its name": {"b": f"{HEAD}import importlib\nm = importlib.import_module('hel' + 'per')\n@workflow\ndef b():\n    return m.V\n"},
    "by its name, when it runs": {"b": f"{HEAD}from importlib import import_module\n@workflow\ndef b():\n    return import_module('hel' + 'per').V\n"},
}


@pytest.fixture(params=THROUGH)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    files = {"helper": "V = 1\n", "a": f"{HEAD}import helper\n@workflow\ndef a():\n    return helper.V\n", **THROUGH[request.param]}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_a_helper_that_was_broken_for_a_moment(folder: Path) -> None:
    helper = folder / "helper.py"
    with Worker(folder) as worker:
        assert [worker.run(one).result for one in ("a", "b")] == [1, 1]
        helper.write_text("V =\n")
        assert [worker.run(one).error.kind for one in ("a", "b", "b", "a")] == ["SyntaxError"] * 4
        helper.write_text("V = 22\n")
        assert [worker.run(one).result for one in ("b", "a", "b")] == [22, 22, 22]
        helper.write_text("V =\n")
        assert worker.run("a").error.kind == "SyntaxError"
        helper.write_text("V = 333\n")
        assert [worker.run(one).result for one in ("b", "a", "b")] == [333, 333, 333]


def test_a_helper_that_is_removed(folder: Path) -> None:
    with Worker(folder) as worker:
        assert [worker.run(one).result for one in ("a", "b")] == [1, 1]
        (folder / "helper.py").unlink()
        assert [worker.run(one).error.kind for one in ("a", "b", "b", "a")] == ["ModuleNotFoundError"] * 4
        (folder / "helper.py").write_text("V = 22\n")
        assert [worker.run(one).result for one in ("b", "a")] == [22, 22]


def test_a_helper_that_others_have_loaded_anew(folder: Path) -> None:
    with Worker(folder) as worker:
        for version in (1, 22, 333):
            (folder / "helper.py").write_text(f"V = {version}\n")
            assert [worker.run(one).result for one in ("a", "b")] == [version, version]


def test_a_new_file_does_not_get_a_helper_as_it_was(folder: Path) -> None:
    with Worker(folder) as worker:
        assert worker.run("b").result == 1
        (folder / "helper.py").write_text("V = 22\n")
        (folder / "c.py").write_text((folder / "b.py").read_text().replace("def b", "def c"))
        assert [worker.run(one).result for one in ("c", "b")] == [22, 22]
