"""Address and token, found as the command line finds them."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path

import pytest
from installation import Installation

from muster_client import Client, Forbidden, Unauthorized
from muster_client.tokens import read_named, url_of


def test_address_and_token_of_the_environment(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_URL", installation.url)
    token = (installation.folder / "data" / "http_token").read_text().strip()
    assert Client().submit("greet").result(30)
    monkeypatch.setenv("MUSTER_HTTP_TOKEN", "wrong")
    with pytest.raises(Unauthorized, match="MUSTER_HTTP_TOKEN"):
        Client().submit("greet")
    assert Client(token=token).submit("greet").result(30)
    monkeypatch.setenv("MUSTER_HTTP_TOKEN", token)
    assert Client().submit("greet").result(30)


def test_a_token_whose_role_is_too_small(installation: Installation) -> None:
    token = (installation.folder / "data" / "http_token").read_text().strip()
    wanted = json.dumps({"name": f"viewer-{os.getpid()}", "role": "view"}).encode()
    request = urllib.request.Request(f"{installation.url}/api/tokens", wanted, {"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        secret = json.load(answer)["secret"]
    with Client(installation.url, token=secret) as client:
        assert client.limits() is not None
        with pytest.raises(Forbidden, match="needs the role operate"):
            client.submit("greet")


def test_a_proxy_sees_nothing_of_a_supervisor_of_this_machine(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert Client(installation.url).submit("greet").result(30)


def test_only_a_token_of_ours_is_read(tmp_path: Path) -> None:
    file = tmp_path / "http_token"
    for text in ("", "two words", "ü"):
        file.write_text(text)
        file.chmod(0o600)
        assert read_named(file) is None, text
    file.write_text("token\n")
    assert read_named(file) == "token"
    file.chmod(0o644)
    assert read_named(file) is None
    file.chmod(0o600)
    other = tmp_path / "other"
    os.link(file, other)
    assert read_named(other) is None
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "http_token").symlink_to(file)
    assert read_named(folder / "http_token") is None


def test_the_token_of_settings(own: Installation, tmp_path: Path) -> None:
    """A supervisor that keeps no file of its own to name is shown what the settings file beside us says."""
    own.stop()
    own.settings["http_token"] = "chosen"
    own.start()
    with Client(own.url, patience=0) as client, pytest.raises(Unauthorized):
        client.submit("greet")
    (tmp_path / "muster.toml").write_text('http_token = "chosen"\n')
    with Client(own.url) as client:
        assert client.submit("greet").result(30)


def test_what_is_no_address() -> None:
    for wrong in ("127.0.0.1:7420", "ftp://host", "http://"):
        with pytest.raises(ValueError, match="no address"):
            url_of(wrong)
    for same in ("http://host:1/", "http://host:1/api", "http://host:1/api/"):
        assert url_of(same) == "http://host:1"
    assert url_of("https://host/muster/api") == "https://host/muster"
