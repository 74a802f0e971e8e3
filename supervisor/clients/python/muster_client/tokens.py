"""Where a supervisor is and what it wants to be shown, found as the command line finds them.

The address: `MUSTER_URL`, else http://127.0.0.1:7420. The token: `MUSTER_HTTP_TOKEN`; else, for a supervisor of this
machine, the file that it names when it is asked without one; else what the settings file and `data_dir` say.
"""

from __future__ import annotations

import importlib
import ipaddress
import os
import stat
import sys
from pathlib import Path
from typing import Any, Mapping
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:7420"
_TOKEN_FILE = "http_token"
_SETTINGS_FILES = ("./muster.toml", "/etc/muster/muster.toml")
_FILE_MAX_BYTES = 4096


def url_of(given: str | None) -> str:
    """The address of the supervisor, without a slash at its end."""
    url = given or os.environ.get("MUSTER_URL") or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of a supervisor: it must be like {DEFAULT_URL}")
    # The address of the API is what comes to mind, too; all that is asked is below it.
    return url.rstrip("/").removesuffix("/api")


def given_token(given: str | None) -> str | None:
    """The token that somebody gave, perhaps with the end of the line it stood on. "none" is the setting of a supervisor without one."""
    token = (given or os.environ.get("MUSTER_HTTP_TOKEN") or "").strip()
    if not _is_word(token):
        raise ValueError("a token is one word without spaces or line breaks, and what was given is not")
    return None if token in ("", "none") else token


def _is_word(text: str) -> bool:
    return all("!" <= one <= "~" for one in text)


def is_of_this_machine(url: str) -> bool:
    """A file of ours is of no use to a supervisor elsewhere, and none of its business."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(problem: Any) -> str | None:
    """The token in the file that a supervisor of this machine names, else the one that the settings lead to."""
    named = problem.get("token_file") if isinstance(problem, Mapping) else None
    found = read_named(Path(named)) if isinstance(named, str) else None
    return found or _token_of_settings()


def read_named(path: Path) -> str | None:
    """The token in a file that somebody named, perhaps a server that is not what it seems.

    Only a file of this name that is ours alone and holds one word is read, so that nothing else can be asked out of us.
    """
    if path.name != _TOKEN_FILE:
        return None
    try:
        # Neither through a link, nor waiting for the other end of a pipe.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(file)
            us = os.geteuid()
            if not stat.S_ISREG(status.st_mode) or (status.st_uid != us and us != 0) or status.st_mode & 0o077:
                return None
            text = os.read(file, _FILE_MAX_BYTES)
        finally:
            os.close(file)
    except OSError:
        return None
    token = text.decode("ascii", "replace").strip()
    return token if token and _is_word(token) else None


def _token_of_settings() -> str | None:
    path = next((Path(one) for one in _SETTINGS_FILES if os.path.exists(one)), None)
    settings: Mapping[str, Any] = {}
    if path is not None:
        try:
            toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
            settings = toml.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Settings that cannot be read are for those who need them.
            return None
    token = settings.get("http_token")
    if isinstance(token, str) and token:
        return None if token == "none" else token
    folder = os.environ.get("MUSTER_DATA_DIR")
    if folder:
        return read_named(Path(folder).absolute() / _TOKEN_FILE)
    named = settings.get("data_dir")
    if path is not None and isinstance(named, str) and named:
        return read_named(path.absolute().parent / named / _TOKEN_FILE)
    return read_named(Path("muster-data").absolute() / _TOKEN_FILE)
