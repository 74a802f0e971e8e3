"""Makes the wheel `muster` of programs that were built: a zip file with a record of what is in it (PEP 427)."""

from __future__ import annotations

import argparse
import base64
import hashlib
import platform
import zipfile
from pathlib import Path

DESCRIPTION = """\
# Muster

`supervisor` and `worker`, with the Python SDK (`muster_worker`) and the client for applications (`muster_client`).

    supervisor run --worker-command "python -m muster_worker" --workflows-dir ./workflows
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--glibc", required=True, help="the oldest one that the programs start on, such as 2.34")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--level", type=int, default=9, help="how hard it is compressed, 0 to 9")
    parser.add_argument("programs", type=Path, nargs="+")
    given = parser.parse_args()
    tag = f"py3-none-manylinux_{given.glibc.replace('.', '_')}_{platform.machine()}"
    information = f"muster-{given.version}.dist-info"
    files = {f"muster-{given.version}.data/scripts/{one.name}": (one.read_bytes(), 0o755) for one in given.programs}
    metadata = [
        "Metadata-Version: 2.1",
        "Name: muster",
        f"Version: {given.version}",
        "Summary: A supervisor of workflow executions in warm worker processes, with its Python SDK and client.",
        "License: MIT OR Apache-2.0",
        "Requires-Python: >=3.10",
        f"Requires-Dist: muster-client=={given.version}",
        f"Requires-Dist: muster-worker=={given.version}",
        "Description-Content-Type: text/markdown",
        "",
        DESCRIPTION,
    ]
    wheel = ["Wheel-Version: 1.0", "Generator: muster scripts/package", "Root-Is-Purelib: false", f"Tag: {tag}", ""]
    files[f"{information}/METADATA"] = "\n".join(metadata).encode(), 0o644
    files[f"{information}/WHEEL"] = "\n".join(wheel).encode(), 0o644
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, (data, _) in files.items())
    files[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n".encode(), 0o644
    with zipfile.ZipFile(given.out / f"muster-{given.version}-{tag}.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=given.level) as made:
        for name, (data, mode) in files.items():
            # A moment of its own for every file would make each build another one.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, data)


def digest(data: bytes) -> str:
    """As a record has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
