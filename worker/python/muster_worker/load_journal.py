"""What workers of the same folder died of while they loaded it, so that one file costs them one death.

A worker writes down which file it is about to load, in a file of its own that it holds locked, and takes that away when
it is through. One that nobody holds is of a worker that died: the next worker tries that file in a child first. What
the child finds stays written down for a while, so that the workers after it do not wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
from typing import Any, Dict, List, Optional, Type

from .errors import LoadCrash, LoadTimeout, MusterError
from .sources import python_files, stamp_of

_KEPT_SECONDS = 600.0
_OLD_SECONDS = 86_400.0
_PROBLEMS: Dict[str, Type[MusterError]] = {one.__name__: one for one in (LoadCrash, LoadTimeout)}


class Journal:
    """In a folder of the user's own below the temporary one; without it, nothing is known of earlier workers."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._prefix = hashlib.blake2b(self._root.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self._folder = _private_folder()
        self._own: Optional[int] = None
        self.suspects: List[str] = []
        """Files at which a worker died, and of which nothing more is known."""
        self._known: Dict[str, MusterError] = {}
        self._done_with: List[str] = []
        self._state = ""
        self._read()

    def found(self, path: str) -> Optional[MusterError]:
        """What an earlier worker found out about a file, if it need not be loaded to know."""
        return self._known.get(path)

    def about_to_load(self, path: str) -> None:
        """Writes it down."""
        if self._own is None:
            self._own = self._create()
        if self._own is not None:
            data = json.dumps({"loading": path}).encode()
            os.ftruncate(self._own, 0)
            os.pwrite(self._own, data, 0)

    def through(self) -> None:
        """Nothing was the matter, or the matter is known."""
        for name in self._done_with:
            self._remove(name)
        if self._own is not None:
            own, self._own = self._own, None
            self._remove(self._own_name())
            os.close(own)

    def note(self, path: str, problem: MusterError) -> None:
        """Tells the workers of the next minutes, as long as the folder does not change."""
        if self._folder is None:
            return
        self._state = self._state or self._state_of_folder()
        record = {"path": path, "kind": type(problem).__name__, "problem": str(problem), "at": time.time(), "state": self._state}
        name = self._name_of(path)
        with open(f"{name}.{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(f"{name}.{os.getpid()}", name)

    def clear(self, path: str) -> None:
        """The file could be loaded after all."""
        if self._known.pop(path, None) is not None and self._folder is not None:
            self._remove(self._name_of(path))

    def _read(self) -> None:
        if self._folder is None:
            return
        for name in sorted(os.listdir(self._folder)):
            whole = os.path.join(self._folder, name)
            if name.startswith(self._prefix):
                self._read_one(whole)
            elif _is_old(whole):
                self._remove(whole)

    def _read_one(self, name: str) -> None:
        try:
            with open(name, "r+", encoding="utf-8") as file:
                # Held by a worker that is loading at this moment.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                record = json.load(file)
        except (OSError, ValueError):
            return
        if "loading" in record:
            self.suspects.append(record["loading"])
            # Others that start at this moment are to know of it too.
            self._done_with.append(name)
        elif self._still_holds(record):
            self._known[record["path"]] = _PROBLEMS[record["kind"]](record["problem"])
        else:
            self._remove(name)

    def _still_holds(self, record: Dict[str, Any]) -> bool:
        self._state = self._state or self._state_of_folder()
        return bool(record["state"] == self._state) and 0 <= time.time() - record["at"] < _KEPT_SECONDS

    def _state_of_folder(self) -> str:
        """Another one after any change of any file: what is wrong with one may be mended in another."""
        found = hashlib.blake2b(digest_size=16)
        for path in python_files(self._root):
            try:
                found.update(f"{path} {stamp_of(path)}\n".encode("utf-8", "surrogateescape"))
            except OSError:
                continue
        return found.hexdigest()

    def _create(self) -> Optional[int]:
        if self._folder is None:
            return None
        own = os.open(self._own_name(), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(own, fcntl.LOCK_EX)
        return own

    def _own_name(self) -> str:
        return os.path.join(self._folder or "", f"{self._prefix}-{os.getpid()}")

    def _name_of(self, path: str) -> str:
        digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        return os.path.join(self._folder or "", f"{self._prefix}-of-{digest}")

    @staticmethod
    def _remove(name: str) -> None:
        try:
            os.unlink(name)
        except OSError:
            return


shared_folder: Optional[str] = None
"""Where all workers of a supervisor keep it, if that says so."""


def take_folder() -> None:
    """Takes it out of the environment, which user code and its children see."""
    global shared_folder
    shared_folder = os.environ.pop("MUSTER_LOADING_DIR", None)


def _is_old(name: str) -> bool:
    try:
        return time.time() - os.stat(name).st_mtime > _OLD_SECONDS
    except OSError:
        return False


def _private_folder() -> Optional[str]:
    # A temporary folder that is this worker's alone would tell the next one nothing.
    folder = shared_folder or os.path.join(os.environ.get("TMPDIR") or "/tmp", f"muster-python-loading-{os.getuid()}")
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        status = os.lstat(folder)
    except OSError:
        return None
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    return folder if is_ours else None
