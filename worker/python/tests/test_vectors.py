"""The golden vectors of the protocol, both ways, both spellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from muster_worker.command.json_values import same
from muster_worker.wire import binary, json_lines
from muster_worker.wire.connection import Connection, PeerError
from muster_worker.wire.messages import (
    TO_SUPERVISOR,
    TO_WORKER,
    ErrorInfo,
    Execute,
    Exited,
    Failed,
    Finished,
    Fork,
    Forked,
    Idle,
    Inline,
    Level,
    Metrics,
    Named,
    Started,
    Succeeded,
    Welcome,
)
from muster_worker.wire.messages import Path as PathSource
from muster_worker.wire.quick import KnownWelcome, execute_of, fork_of

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


def test_replayed_values() -> None:
    rows = [json.loads(line) for line in (FOLDER / "replayed_values.jsonl").read_text().splitlines()]
    assert len(rows) > 30
    for row in rows:
        assert same(row["then"], row["now"]) is row["same"], row


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


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def test_an_execute_is_read_quickly_as_the_general_decoder_reads_it() -> None:
    usual = Execute(7, "0f1e2d3c-0000-4000-8000-00000000abcd", 3, "daily/größe", Named(), b'{"a":1}', b"{}", 2**63, 5000)
    others = (
        usual._replace(params=b"", context=b"", workflow=""),
        usual._replace(execution_id="short"),
        usual._replace(execution_id="ö" * 18),
        usual._replace(source=PathSource("a.py", "f")),
        usual._replace(source=Inline("python", b"def f(): pass")),
    )
    assert execute_of(framed(binary.encode(TO_WORKER, usual))) == usual
    for message in (usual, *others):
        body = binary.encode(TO_WORKER, message)
        frame = framed(body)
        assert execute_of(frame) in (message, None)
        for end in range(len(frame)):
            assert execute_of(frame[:end]) is None
        assert execute_of(frame + b"\0") is None and execute_of(framed(body + b"\0")) is None
        for at in range(4, len(frame)):
            for byte in (0, 1, 0x80, 0xFF):
                changed = bytearray(frame)
                changed[at] = byte
                read = execute_of(bytes(changed))
                assert read is None or read == binary.decode(TO_WORKER, bytes(changed[4:]))


def test_a_fork_is_read_quickly_as_the_general_decoder_reads_it() -> None:
    for worker_id in ("", "w2", "größe", "0f1e2d3c"):
        body = binary.encode(TO_WORKER, Fork(worker_id))
        frame = framed(body)
        assert fork_of(frame) == Fork(worker_id)
        assert not any(fork_of(frame[:end]) for end in range(len(frame)))
        assert fork_of(frame + b"\0") is None and fork_of(framed(body + b"\0")) is None
        for at in range(4, len(frame)):
            for byte in (0, 1, 0x80, 0xFF):
                changed = bytearray(frame)
                changed[at] = byte
                read = fork_of(bytes(changed))
                assert read is None or read == binary.decode(TO_WORKER, bytes(changed[4:]))


def test_a_welcome_is_known_again_by_all_but_the_id() -> None:
    welcome = Welcome(1, "w1", ["log", "call"], 1 << 24, Level.Info, b'{"workflows_dir":"/w"}')
    known = KnownWelcome(welcome)

    def framed(message: Welcome) -> bytes:
        body = binary.encode(TO_WORKER, message)
        return len(body).to_bytes(4, "big") + body

    for worker_id in ("", "w2", "w12345678"):
        frame = framed(welcome._replace(worker_id=worker_id))
        assert known.end_in(frame) == known.end_in(frame + b"more") == len(frame)
        assert not any(known.end_in(frame[:end]) for end in range(len(frame)))
    others = {"protocol": 2, "features": ["log"], "log_level": Level.Warn, "config": b'{"workflows_dir":"/x"}'}
    assert not any(known.end_in(framed(welcome._replace(**{name: value}))) for name, value in others.items())
    assert not known.end_in(b"") and not known.end_in(b"\0\0\0\x04\0\0\0\0")


def test_quick_frames_are_the_same_bytes() -> None:
    connection = Connection(0, 1)
    for number in (0, 1, 7, 2**32 - 1):
        metrics = Metrics(number, 2**64 - 1, 3, number * 5)
        result = Succeeded(b'{"a":1}' * number if number < 9 else b"")
        failure = Failed(ErrorInfo("Kind", "why"))
        for encoded, message in (
            (connection.started(number), Started(number)),
            (connection.idle(number, number * 7, number % 2 == 0), Idle(number, number * 7, number % 2 == 0)),
            (connection.finished(number, result, metrics, number), Finished(number, result, metrics, number)),
            (connection.finished(number, failure, metrics, number), Finished(number, failure, metrics, number)),
            (connection.forked("ö" * (number % 9), number, number == 7), Forked("ö" * (number % 9), number, number == 7)),
            (connection.exited(number, 9), Exited(number, 9)),
        ):
            assert encoded == framed(binary.encode(TO_SUPERVISOR, message))
