"""Workers of one template: a domain and a temporary folder of their own."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Callable

import pytest
from muster_worker import temporary
from muster_worker.confinement import OwnDomain

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")

_NO_NEW_PRIVILEGES = 38
_SIGNAL_ABI = 6


def abi() -> int:
    call = ctypes.CDLL(None, use_errno=True).syscall
    return int(call(444, None, ctypes.c_size_t(0), 1))


def in_child(function: Callable[[], int]) -> int:
    """The exit code of a process that does this."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(function())
        except BaseException:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def signals_after(level: str, pid: int) -> int:
    domain = OwnDomain({"confinement": level})
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    domain.enter()
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno or 255
    return 0


@pytest.mark.parametrize("level", ["scoped", "strict"])
def test_from_a_domain_of_its_own_a_worker_signals_nobody_else(level: str) -> None:
    expected = errno.EPERM if abi() >= _SIGNAL_ABI else 0
    parent = os.getpid()
    assert in_child(lambda: signals_after(level, parent)) == expected


def test_what_it_starts_is_in_its_reach() -> None:
    def start_and_end() -> int:
        signals_after("scoped", os.getpid())
        child = os.fork()
        if child == 0:
            signal.pause()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return 0

    assert in_child(start_and_end) == 0


def test_without_confinement_it_enters_none() -> None:
    parent = os.getpid()
    assert in_child(lambda: signals_after("off", parent)) == 0


def test_its_temporary_folder_is_the_one_that_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "born").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert tempfile.gettempdir() == str(tmp_path)
    assert temporary.of_worker("another") is None
    assert tempfile.gettempdir() == str(tmp_path)
    assert temporary.of_worker("born") == str(tmp_path / "born")
    assert tempfile.tempdir is None, "it is looked up anew"
