"""A real supervisor on the embedded store, in a temporary folder, with Python workers of this repository."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

REPOSITORY = Path(__file__).resolve().parents[4]
CLIENT = REPOSITORY / "supervisor" / "clients" / "python"
SDK = REPOSITORY / "worker" / "python"
READY_SECONDS = 60.0


def binary(name: str) -> Path:
    """A binary as `cargo build --workspace --bins` leaves it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    found = REPOSITORY / target / "debug" / name
    assert found.exists(), f"{found} is not built: run `cargo build --workspace --bins` first, as scripts/test does"
    return found


def free_port() -> int:
    """A port below the range that the kernel hands out by itself, so that it can be taken again after a restart."""
    for port in range(20_000 + os.getpid() % 8_000, 32_000):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Installation:
    """Settings, workflows and data in a folder, and at most one supervisor that runs there."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.workflows = folder / "workflows"
        self.workflows.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        python = f"env PYTHONPATH={shlex.quote(str(SDK))}:{shlex.quote(str(CLIENT))} {shlex.quote(sys.executable)}"
        self.settings = {
            "workflows_dir": self.workflows,
            "data_dir": folder / "data",
            "http_bind": f"127.0.0.1:{self.port}",
            "worker_command": f"{python} -m muster_worker",
            "min_workers": 1,
            "max_workers": 2,
            "graceful_shutdown_seconds": 1,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def workflow(self, name: str, text: str) -> None:
        """Writes a file of workflows."""
        (self.workflows / name).write_text(text)

    def environment(self) -> dict[str, str]:
        """Ours without what is Muster's, and with the settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        return {**kept, **{f"MUSTER_{name.upper()}": str(value) for name, value in self.settings.items()}}

    def start(self) -> None:
        """Starts a supervisor; returns when it is ready."""
        with open(self.folder / "supervisor.log", "ab") as log:
            self._process = subprocess.Popen(
                [str(binary("supervisor")), "run"],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self._process.poll() is None and time.monotonic() < end, self.log
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the supervisor and waits for that."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def log(self) -> str:
        """All that its supervisors logged."""
        return (self.folder / "supervisor.log").read_text(errors="replace")

    def command(self, *arguments: str) -> str:
        """What a command of the supervisor prints."""
        made = subprocess.run(
            [str(binary("supervisor")), *arguments],
            cwd=self.folder,
            env={**self.environment(), "MUSTER_URL": self.url},
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout
