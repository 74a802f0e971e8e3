"""Where the blocks of one page run: a folder, a shell that stays, a Python that stays, and what they started."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
#: A page may install packages, on a machine that is busy with other things.
BLOCK_SECONDS = 300.0
READY_SECONDS = 60.0
MARK = "\x1e"
#: Where pages have a supervisor, and an application of their own.
DEFAULT_ADDRESS = "127.0.0.1:7420"
APPLICATION_ADDRESS = "127.0.0.1:8000"

#: Runs what it is sent in one namespace, as an interactive Python would.
DRIVER = """
import json, sys, traceback
sys.path.insert(0, "")
space = {"__name__": "page"}
for line in sys.stdin:
    block = json.loads(line)
    problem = None
    try:
        exec(compile("\\n" * block["line"] + block["code"], block["page"], "exec", dont_inherit=True), space)
    except BaseException:
        problem = traceback.format_exc()
    sys.stdout.write("\\x1e" + json.dumps(problem) + "\\n")
    sys.stdout.flush()
"""


class BlockFailure(AssertionError):
    """A block did not do what the page says."""


def binary(name: str) -> Path:
    """A binary as `cargo build --workspace --bins` leaves it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    found = REPOSITORY / target / "debug" / name
    assert found.exists(), f"{found} is not built: run `cargo build --workspace --bins` first, as scripts/test does"
    return found


def free_port(first: int = 20_000) -> int:
    """A port below the range that the kernel hands out by itself."""
    for port in range(first + os.getpid() % 5_000, 32_000):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Talk:
    """A process that is told what to do on its standard input, and says when it has done so."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def tell(self, text: str) -> tuple[str, str]:
        """What it printed, and what it said at the end."""
        assert self._process.stdin
        self._process.stdin.write(text)
        self._process.stdin.flush()
        printed, end = "", time.monotonic() + BLOCK_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=0.5)
            except queue.Empty:
                if self._process.poll() is not None:
                    # What it started may hold its output open.
                    line = None
                elif time.monotonic() < end:
                    continue
                else:
                    raise BlockFailure(f"it is not through after {BLOCK_SECONDS:.0f} s; so far: {printed}") from None
            if line is None:
                raise BlockFailure(f"it ended; its last lines: {printed}")
            before, mark, said = line.partition(MARK)
            printed += before
            if mark:
                return printed, said.strip()

    def end(self) -> None:
        """Ends it with all that it started."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        for how in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 10
            while time.monotonic() < end:
                try:
                    os.killpg(self._process.pid, how)
                except ProcessLookupError:
                    return
                time.sleep(0.1)


class Stage:
    """The folder of a page, with the programs on the PATH and SDK and clients where their languages look for them."""

    def __init__(self, folder: Path, *, bare: bool) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.application = free_port(26_000)
        self._bare = bare
        self._tools = folder.parent / f"{folder.name}.tools"
        self._tools.mkdir()
        folder.mkdir()
        self._python: Talk | None = None
        self._number = 0
        self.bash = Talk(["bash", "--noprofile", "--norc"], folder, self._environment())
        # For pages that go on with another supervisor: ends what `serve` started.
        self.shell('stop_served() { for served in $(jobs -p); do pkill -TERM -P "$served" || true; done; wait; }')

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUSTER_", "PYTHON", "VIRTUAL"))}
        home = self._tools / "home"
        home.mkdir()
        mine = {
            "HOME": str(home),
            "MUSTER_HTTP_BIND": self.address,
            "MUSTER_URL": f"http://{self.address}",
            "MUSTER_DRAIN_SECONDS": "1",
            "MUSTER_GRACEFUL_SHUTDOWN_SECONDS": "1",
            "MUSTER_MAX_WORKERS": "2",
            "MUSTER_MIN_WORKERS": "1",
            "MUSTER_WORKER_ENV": "PYTHONPATH",
            "REPOSITORY": str(REPOSITORY),
            "PACKAGES": os.environ.get("MUSTER_PACKAGES", ""),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_PROGRESS_BAR": "off",
            "PIP_CACHE_DIR": str(REPOSITORY / "target/docs/cache/pip"),
            "npm_config_cache": str(REPOSITORY / "target/docs/cache/npm"),
            "NO_COLOR": "1",
        }
        for name in ("PIP_CONFIG_FILE", "NPM_CONFIG_USERCONFIG"):
            # Where an index is configured for the user, its clients go on to use it.
            own = Path(os.environ["HOME"]) / {"PIP_CONFIG_FILE": ".config/pip/pip.conf", "NPM_CONFIG_USERCONFIG": ".npmrc"}[name]
            if own.exists():
                mine.setdefault(name, os.environ.get(name, str(own)))
        if self._bare:
            return {**kept, **mine}
        programs = self._tools / "bin"
        programs.mkdir()
        for name in ("supervisor", "worker"):
            (programs / name).symlink_to(binary(name))
        modules = self._tools / "node_modules"
        modules.mkdir()
        for name, source in (("muster-client", "supervisor/clients/node"), ("muster-worker", "worker/node")):
            (modules / name).symlink_to(REPOSITORY / source)
        # Node looks for packages in the folders above a file.
        (self.folder / "node_modules").symlink_to(modules)
        (modules / ".bin").mkdir()
        (modules / ".bin" / "muster-worker").symlink_to(REPOSITORY / "worker/node/bin/muster-worker")
        python = REPOSITORY / "target/python/bin"
        path = os.pathsep.join([str(programs), str(python), os.environ["PATH"]])
        sources = os.pathsep.join(str(REPOSITORY / one) for one in ("worker/python", "supervisor/clients/python"))
        return {**kept, **mine, "PATH": path, "PYTHONPATH": sources}

    def here(self, text: str) -> str:
        """A text of the page with the addresses that there are in this run."""
        text = text.replace(DEFAULT_ADDRESS, self.address).replace(APPLICATION_ADDRESS, f"127.0.0.1:{self.application}")
        return text.replace("--port 8000", f"--port {self.application}").replace("listen(8000", f"listen({self.application}")

    def write(self, name: str, text: str) -> None:
        """A file of the page's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))

    def shell(self, code: str) -> tuple[int, str]:
        """Runs commands in the page's shell: the exit code, and what they printed."""
        self._number += 1
        script, printed = (self._tools / f"{self._number}.{kind}" for kind in ("sh", "out"))
        script.write_text(self.here(code))
        try:
            _, said = self.bash.tell(f". {script} >{printed} 2>&1 </dev/null; printf '\\n\\036%s\\n' $?\n")
        except BlockFailure as failure:
            raise BlockFailure(f"{failure}{printed.read_text(errors='replace')}") from None
        return int(said), printed.read_text(errors="replace")

    def commands(self, code: str) -> None:
        """Runs commands, each of which must succeed."""
        status, printed = self.shell(f"set -eo pipefail\ntrap 'status=$?; echo \"exit $status: $BASH_COMMAND\" >&2' ERR\n{code}\nset +eo pipefail; trap - ERR\n")
        if status:
            raise BlockFailure(f"exit {status}: {printed}")

    def serve(self, code: str) -> None:
        """Starts commands that go on, and waits until a supervisor among them answers."""
        log = self._tools / "serve.log"
        status, printed = self.shell(f"{{ {code}\n}} >>{log} 2>&1 &")
        if status:
            raise BlockFailure(printed)
        if "supervisor run" not in code:
            return
        end = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > end:
                raise BlockFailure(f"the supervisor does not answer: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{self.address}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def python(self, code: str, page: str, line: int) -> str:
        """Runs a block in the page's Python; gives what it printed."""
        if self._python is None:
            status, printed = self.shell("python3 -c 'import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))'")
            if status:
                raise BlockFailure(printed)
            environment, folder = json.loads(printed)
            (self._tools / "driver.py").write_text(DRIVER)
            self._python = Talk(["python3", str(self._tools / "driver.py")], Path(folder), environment)
        printed, said = self._python.tell(json.dumps({"code": self.here(code), "page": page, "line": line - 1}) + "\n")
        if problem := json.loads(said):
            raise BlockFailure(f"{problem}\nit printed: {printed}")
        return printed

    def node(self, code: str, *, test: bool) -> str:
        """Runs a block as a module of its own; gives what it printed."""
        name = f"block_{self._number}.mjs"
        self.write(name, code)
        status, printed = self.shell(f"node {'--test ' if test else ''}{name}")
        if status:
            raise BlockFailure(printed)
        return printed

    def end(self) -> None:
        """Ends all that the page started."""
        if self._python:
            self._python.end()
        self.bash.end()


_EXPECTED = re.compile(r"(?:#|//) => (.*)$", re.MULTILINE)


def expect_printed(code: str, printed: str) -> None:
    """`# => TEXT` behind a line says what it prints."""
    for wanted in _EXPECTED.findall(code):
        if wanted.strip() not in printed:
            raise BlockFailure(f"the page says that it prints {wanted!r}, and it printed: {printed}")


def expect_lines(wanted: str, printed: str) -> None:
    """What a page shows below a command. `...` stands for anything, in a line or for lines, and so does an id."""
    pattern = "".join(_line(line) for line in wanted.strip().split("\n"))
    if not re.fullmatch(pattern, f"{printed.strip()}\n"):
        raise BlockFailure(f"the page shows:\n{wanted}\nand it printed:\n{printed}")


#: What is another each time: an id, a time of the day, a moment, who asked.
_VARIES = {
    "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}": "[0-9a-f-]{36}",
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z": "[0-9T:.-]+Z",
    "[0-9]+[.][0-9]{3}s": "[0-9.]+s",
    "[0-9]{2}:[0-9]{2}:[0-9]{2}": "[0-9:]{8}",
    "[a-z]+@[a-z0-9]+": "[^ ]+@[^ ]+",
    "[.]{3}": ".*",
}


def _line(line: str) -> str:
    """A pattern for a line that a page shows."""
    if line == "...":
        return "(?:.*\n)*?"
    pieces = re.split(f"({'|'.join(_VARIES)})", line.rstrip())
    written = [piece if place % 2 == 0 else next(to for what, to in _VARIES.items() if re.fullmatch(what, piece)) for place, piece in enumerate(pieces)]
    return "".join(re.escape(piece) if place % 2 == 0 else piece for place, piece in enumerate(written)) + " *\n"
