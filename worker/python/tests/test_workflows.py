"""The workflows folder: names, files, changes, mistakes."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sysconfig
import textwrap
import threading
from pathlib import Path

import pytest
from supervisor import Worker

from muster_worker.wire.messages import InitFailed
from muster_worker.wire.messages import Path as PathSource


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


HEAD = "from muster_worker import context, workflow\n"


def test_names(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + "@workflow\ndef plain(): return 'plain'\n@workflow(name='by/name')\nasync def other(): return 'named'\n")
    write(tmp_path / "deep/er/b.py", HEAD + "@workflow()\ndef nested(): return 'nested'\n")
    write(tmp_path / "helper.py", "raise RuntimeError('nobody imports me')\n")
    write(tmp_path / "email.py", HEAD + "@workflow\ndef send(): return __name__\n")
    with Worker(tmp_path) as worker:
        assert [one for one in worker.ready.workflows if not one.startswith("conformance.")] == ["by/name", "nested", "plain", "send"]
        assert [worker.run(name).result for name in ("plain", "by/name", "nested")] == ["plain", "named", "nested"]
        assert worker.run("send").result == "muster_workflows.email"
        assert worker.code("import email\ndef main(params): return email.__file__\n").result.endswith("email/__init__.py")


def test_a_link_that_leads_out_of_the_folder_is_no_workflow(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "workflows"
    write(elsewhere / "secret.py", HEAD + "@workflow\ndef secret(): return 'out'\n")
    write(folder / "own.py", HEAD + "@workflow\ndef own(): return 'in'\n")
    # As Kubernetes mounts a ConfigMap: the link leads to a folder beside it.
    write(folder / "..data/mounted.py", HEAD + "@workflow\ndef mounted(): return 'mounted'\n")
    (folder / "mounted.py").symlink_to("..data/mounted.py")
    (folder / "link.py").symlink_to(elsewhere / "secret.py")
    (folder / "deep").symlink_to(elsewhere)
    with Worker(folder) as worker:
        assert [one for one in worker.ready.workflows if not one.startswith("conformance.")] == ["mounted", "own"]
        assert [worker.run(name).result for name in ("own", "mounted")] == ["in", "mounted"]
        assert "secret" in worker.run("secret").outcome.reason
        for path in ("link.py", "deep/secret.py", "../elsewhere/secret.py"):
            assert "not below the workflows folder" in worker.run("secret", source=PathSource(path, "secret")).outcome.reason
        # A file that becomes such a link.
        (folder / "own.py").unlink()
        (folder / "own.py").symlink_to(elsewhere / "secret.py")
        assert "own" in worker.run("own").outcome.reason
        assert "secret" in worker.run("secret").outcome.reason


def test_duplicates_are_init_failed(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + "@workflow\ndef same(): pass\n")
    write(tmp_path / "b.py", HEAD + "@workflow\ndef same(): pass\n")
    with Worker(tmp_path) as worker:
        assert isinstance(worker.ready, InitFailed)
        assert worker.ready.error.kind == "DuplicateWorkflow"
        assert "a.py:2" in worker.ready.error.message and "b.py:2" in worker.ready.error.message
        assert worker.wait(3) == 69


def test_a_broken_file_costs_only_itself_and_heals(tmp_path: Path) -> None:
    write(tmp_path / "good.py", HEAD + "@workflow\ndef good(): return 1\n")
    write(tmp_path / "bad.py", HEAD + "@workflow\ndef bad(: return 1\n")
    with Worker(tmp_path) as worker:
        assert worker.run("good").result == 1
        assert worker.run("bad").error.kind == "SyntaxError"
        assert "bad.py could not be loaded" in worker.run("neither").outcome.reason
        write(tmp_path / "bad.py", HEAD + "@workflow\ndef bad(): return 2\n")
        assert worker.run("bad").result == 2


def test_changes_are_picked_up_at_once(tmp_path: Path) -> None:
    write(tmp_path / "lib/__init__.py", "")
    write(tmp_path / "lib/rates.py", "RATE = 1\n")
    write(tmp_path / "lib/tax.py", "from .rates import RATE\ndef tax(): return RATE\n")
    write(tmp_path / "a.py", HEAD + "from lib.tax import tax\nVERSION = 1\n@workflow\ndef a(): return [VERSION, tax()]\n")
    write(tmp_path / "b.py", HEAD + "import lib.tax\n@workflow\ndef b(): return lib.tax.tax()\n")
    write(tmp_path / "late.py", HEAD + "@workflow\ndef late():\n    from lib import rates\n    return rates.RATE\n")
    with Worker(tmp_path) as worker:
        assert (worker.run("a").result, worker.run("b").result, worker.run("late").result) == ([1, 1], 1, 1)
        for number in range(2, 30):
            # Same size, same second: only the content tells.
            write(tmp_path / "lib/rates.py", f"RATE = {number % 10}\n")
            assert worker.run("a").result == [1, number % 10]
            assert worker.run("b").result == number % 10
            assert worker.run("late").result == number % 10
        write(tmp_path / "a.py", HEAD + "from lib.tax import tax\nVERSION = 2\n@workflow\ndef a(): return [VERSION, tax()]\n")
        assert worker.run("a").result == [2, 9]


def test_unchanged_files_keep_their_state(tmp_path: Path) -> None:
    write(tmp_path / "counter.py", "count = 0\n")
    write(tmp_path / "a.py", HEAD + "import counter\n@workflow\ndef a():\n    counter.count += 1\n    return counter.count\n")
    with Worker(tmp_path) as worker:
        assert [worker.run("a").result for _ in range(3)] == [1, 2, 3]
        os.utime(tmp_path / "counter.py")
        assert worker.run("a").result == 4
        write(tmp_path / "a.py", HEAD + "import counter\n@workflow\ndef a():\n    counter.count += 10\n    return counter.count\n")
        assert worker.run("a").result == 14


def test_files_that_come_go_and_move(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + "@workflow\ndef a(): return 'a'\n")
    with Worker(tmp_path) as worker:
        write(tmp_path / "new.py", HEAD + "@workflow\ndef new(): return 'new'\n")
        assert worker.run("new").result == "new"
        (tmp_path / "new.py").rename(tmp_path / "moved.py")
        assert worker.run("new").result == "new"
        (tmp_path / "moved.py").unlink()
        assert worker.run("new").kind == "Rejected"
        write(tmp_path / "a.py", HEAD + "@workflow\ndef renamed(): return 'r'\n")
        assert worker.run("a").kind == "Rejected"
        assert worker.run("renamed").result == "r"


def test_path_sources(tmp_path: Path) -> None:
    write(tmp_path / "flows/one.py", HEAD + "@workflow\ndef only(): return 'only'\ndef plain(params): return params\n")
    write(tmp_path / "flows/main.py", "def main(params): return ['main', params]\n")
    write(tmp_path.parent / "outside.py", "def main(params): return 'secret'\n")
    with Worker(tmp_path) as worker:
        assert worker.run("x", {}, PathSource("flows/one.py", "")).result == "only"
        assert worker.run("x", {"a": 1}, PathSource("flows/one.py", "plain")).result == {"a": 1}
        assert worker.run("x", {"a": 1}, PathSource("flows/main.py", "")).result == ["main", {"a": 1}]
        assert "no function 'nope'" in worker.run("x", {}, PathSource("flows/one.py", "nope")).outcome.reason
        for path in ("../outside.py", str(tmp_path.parent / "outside.py"), "flows/../../outside.py"):
            assert "not below" in worker.run("x", {}, PathSource(path, "")).outcome.reason
        assert "no file" in worker.run("x", {}, PathSource("none.py", "")).outcome.reason


def test_a_workflow_imported_by_another_is_no_duplicate(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + "@workflow\ndef shared(): return 'a'\n")
    write(tmp_path / "b.py", HEAD + "from a import shared\n@workflow\ndef uses(): return shared() + 'b'\n")
    with Worker(tmp_path) as worker:
        assert worker.run("uses").result == "ab"


def test_cancel_during_an_import_does_not_poison_the_worker(tmp_path: Path) -> None:
    write(tmp_path / "slow.py", "import time\ntime.sleep(60)\n")
    write(tmp_path / "a.py", HEAD + "@workflow\ndef a():\n    import slow\n")
    with Worker(tmp_path) as worker:
        run = worker.start("a")
        worker.receive()
        worker.cancel(run)
        assert worker.finish().kind == "Cancelled"
        write(tmp_path / "slow.py", "VALUE = 1\n")
        assert worker.run("a").kind == "Succeeded"


def test_a_changed_extension_asks_for_a_new_process(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if compiler is None or not headers.is_file():
        pytest.skip("no C compiler or no Python headers")
    source = """
        #include <Python.h>
        static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "fast", 0, -1, 0};
        PyMODINIT_FUNC PyInit_fast(void) {
            PyObject *m = PyModule_Create(&def); PyModule_AddIntConstant(m, "VALUE", VALUE); return m; }
    """
    write(tmp_path / "fast.c", source)
    library = tmp_path / f"fast{sysconfig.get_config_var('EXT_SUFFIX')}"

    def build(value: int) -> None:
        built = tmp_path / "built"
        subprocess.run([compiler, "-shared", "-fPIC", f"-DVALUE={value}", f"-I{headers.parent}", "-o", built, tmp_path / "fast.c"], check=True)
        built.replace(library)

    build(1)
    write(tmp_path / "a.py", HEAD + "import fast\n@workflow\ndef a(): return fast.VALUE\n")
    with Worker(tmp_path) as worker:
        assert worker.run("a").result == 1
        assert not worker.run("a").idle.recycle
        build(2)
        again = worker.run("a")
        assert again.result == 1
        assert again.idle.recycle


def test_a_script_that_exits_costs_only_its_own_workflows(tmp_path: Path) -> None:
    write(tmp_path / "script.py", HEAD + "import sys\n@workflow\ndef scripted(): return 1\nsys.exit('not a module')\n")
    write(tmp_path / "good.py", HEAD + "@workflow\ndef good(): return 1\n")
    with Worker(tmp_path) as worker:
        assert worker.ready.workflows == [*worker.ready.workflows[:-1], "good"]
        assert worker.run("good").result == 1
        assert worker.run("scripted").error.kind == "SystemExit"
        assert worker.run("good").result == 1


def test_the_examples_run() -> None:
    folder = Path(__file__).resolve().parents[1] / "examples" / "workflows"
    with Worker(folder) as worker:
        assert worker.run("greet", {"name": "Ada"}).result == {"greeting": "Hello, Ada!"}
        summary = worker.run("summarise-sales")
        assert summary.result["count"] == 10_000
        assert "sale 2 has a negative amount" in worker.run(
            "summarise-sales", {"sales": [{"region": "n", "amount": 1}, {"region": "n", "amount": -1}]}
        ).error.message
        assert worker.run("charge-card", {"amount": 120}).error.retryable is False
        assert worker.run("loop-for-ever", timeout_ms=200).kind == "Cancelled"
        tidied = worker.run("tidy-up", timeout_ms=200)
        assert (tidied.kind, tidied.lines) == ("Cancelled", ["this part is never torn", "tidying up"])


def test_the_paging_example_retries(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[1] / "examples" / "workflows"
    failures = iter([500, 503])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = next(failures, 200)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"items": [1, 2]}')

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, Worker(folder) as worker:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = {"config": {"api_token": "t"}}
        run = worker.run("fetch-pages", {"url": f"http://127.0.0.1:{server.server_port}/"}, context=context)
        assert run.result == {"pages": 3, "items": 6}
        assert len(run.lines) == 2
        server.shutdown()
