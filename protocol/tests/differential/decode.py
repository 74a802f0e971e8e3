"""Says what the Python SDK's decoder makes of each line on stdin: see `speakers.rs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "worker" / "python"))

from muster_worker.wire import binary, json_lines
from muster_worker.wire.layout import DecodeError
from muster_worker.wire.messages import TO_SUPERVISOR, TO_WORKER


def said(direction: str, spelling: str, digits: str = "") -> str:
    variants = TO_WORKER if direction == "to_worker" else TO_SUPERVISOR
    codec = json_lines if spelling == "line" else binary
    try:
        message = codec.decode(variants, bytes.fromhex(digits))
    except DecodeError:
        return "refused"
    if message is None:
        return "skipped"
    written = codec.encode(variants, message)
    return "ok " + (written.decode() if codec is json_lines else written.hex())


for line in sys.stdin:
    print(said(*line.split()))
