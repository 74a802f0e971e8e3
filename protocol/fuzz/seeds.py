"""Writes what each target begins with, from the golden vectors, into a folder of its own below the one given."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Iterator, Tuple

ROOT = Path(__file__).resolve().parents[2]
HEAD = {"transcript": 1, "protocol": 1, "execution_id": "e", "attempt": 1, "workflow": "w", "recorded_at": "t"}
REQUESTS = [
    {"execution_id": "018f4e9c-7d3a-7c10-9b1e-2f6a5d0c4b3a", "workflow": "greet", "parameters": {"name": "Ada"}},
    {"workflow": "w", "code": "export default () => 1", "language": "javascript", "timeout": 30, "priority": 9},
    {"workflow": "w", "queue": "reports", "run_at": "2026-01-01T00:00:00Z", "expires_after_seconds": 60, "sync": True},
    {"workflow": "w", "delay_seconds": 1.5, "max_attempts": 3, "retry_backoff_seconds": 2, "caller": {"name": "Ada"}},
]


def seeds() -> Iterator[Tuple[str, bytes]]:
    for request in REQUESTS:
        yield "requests", json.dumps(request).encode()
    for direction in ("to_supervisor", "to_worker"):
        vectors = json.loads((ROOT / f"protocol/vectors/{direction}.json").read_text(encoding="utf-8"))
        for vector in vectors:
            frame, line = bytes.fromhex(vector["hex"]), json.dumps(vector["json"], ensure_ascii=False)
            yield "frames", frame[4:]
            yield "lines", line.encode()
            yield "streams", frame + (frame if direction == "to_supervisor" else b"") + b"\5\0"
            yield "streams", line.encode() + b"\n\5\0"
            entry = {"at_us": 5, direction: vector["json"]}
            end = {"at_us": 9, "ended": {"status": "FAILED", "error_type": "E", "error_message": "m"}}
            lines = (HEAD, entry, {"at_us": 7, "dropped": 2}, end)
            yield "transcripts", "\n".join(json.dumps(one, ensure_ascii=False) for one in lines).encode()


for target, data in seeds():
    folder = Path(sys.argv[1]) / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
