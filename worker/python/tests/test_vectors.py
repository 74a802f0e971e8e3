"""The golden vectors of the protocol, both ways, both spellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from muster_worker.wire import binary, json_lines
from muster_worker.wire.connection import Connection, PeerError
from muster_worker.wire.messages import (
    TO_SUPERVISOR,
    TO_WORKER,
    ErrorInfo,
    Failed,
    Finished,
    Idle,
    Metrics,
    Started,
    Succeeded,
)

FOLDER = Path(__file__).resolve().parents[3] / "protocol" / "vectors"
DIRECTIONS = {"to_supervisor": TO_SUPERVISOR, "to_worker": TO_WORKER}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the golden vectors live in the repository")


def load(name: str) -> List[Dict[str, Any]]:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else []


def body(vector: Dict[str, Any]) -> bytes:
    frame = bytes.fromhex(vector["hex"])
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    return frame[4:]


@pytest.mark.parametrize("vector", load("to_supervisor") + load("to_worker"), ids=lambda one: one["name"])
def test_accepted(vector: Dict[str, Any]) -> None:
    variants = DIRECTIONS[vector["direction"]]
    message = binary.decode(variants, body(vector))
    assert type(message).__name__ == (vector["json"] if isinstance(vector["json"], str) else next(iter(vector["json"])))
    assert binary.encode(variants, message) == body(vector)
    assert json.loads(json_lines.encode(variants, message)) == vector["json"]
    again = json_lines.decode(variants, json.dumps(vector["json"]).encode())
    assert json.loads(json_lines.encode(variants, again)) == vector["json"]


@pytest.mark.parametrize("vector", load("skipped"), ids=lambda one: one["name"])
def test_skipped(vector: Dict[str, Any]) -> None:
    variants = DIRECTIONS[vector["direction"]]
    assert binary.decode(variants, body(vector)) is None
    assert json_lines.decode(variants, json.dumps(vector["json"]).encode()) is None


def test_rejected() -> None:
    import os

    vectors = load("rejected")
    assert len(vectors) > 100
    for vector in vectors:
        data = bytes.fromhex(vector["hex"])
        if vector["error"] in ("bad_length", "polluted"):
            read_fd, write_fd = os.pipe()
            os.write(write_fd, data)
            with pytest.raises(PeerError):
                Connection(read_fd, write_fd).receive()
            os.close(read_fd)
            os.close(write_fd)
        else:
            with pytest.raises(binary.DecodeError):
                binary.decode(DIRECTIONS[vector["direction"]], data[4:])
                pytest.fail(f"{vector['name']} was accepted")


def test_quick_frames_are_the_same_bytes() -> None:
    connection = Connection(0, 1)
    for number in (0, 1, 7, 2**32 - 1):
        metrics = Metrics(number, 2**64 - 1, 3, number * 5)
        for message in (
            Started(number),
            Idle(number, number * 7, number % 2 == 0),
            Finished(number, Succeeded(b'{"a":1}' * number if number < 9 else b""), metrics, number),
            Finished(number, Failed(ErrorInfo("Kind", "why")), metrics, number),
        ):
            body = binary.encode(TO_SUPERVISOR, message)
            assert connection.encode(message) == len(body).to_bytes(4, "big") + body
