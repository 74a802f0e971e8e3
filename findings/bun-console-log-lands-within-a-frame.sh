#!/usr/bin/env bash
# Under Bun a `console.log` overtakes what process.stdout.write still holds, and lands in the middle of a frame.
#
# Expected: console.log writes to process.stdout, as in Node, where both go through one stream. So a program that writes
#   a large frame with `process.stdout.write(frame)` and then logs a line gives the frame and then the line, however
#   slowly the pipe is read.
# Seen: in Bun the two are separate writers on the same descriptor. What process.stdout.write could not put into the
#   pipe at once it keeps for later; console.log puts its line into the pipe itself, so the line stands wherever the
#   frame was cut, after the first 65,536 bytes of a frame of 1 MiB. Many smaller frames do it as well, once the pipe is
#   full; those of at most 4,096 bytes stay whole, but the line still overtakes them. No error, exit 0. A frame whose
#   write is awaited first is whole, and a program that only uses console.log keeps its order. If all is smaller than
#   the pipe it never shows.
# Why it matters for a supervisor: a worker that answers in frames or JSON lines on stdout works in every test, and the
#   first large result with a stray log line behind it, of any library, is a broken frame: with lengths in front, all
#   later frames of that process are misread, too. Take console.log off stdout (`console.log = console.error`) or send
#   frames by another descriptor, and end a worker whose frame does not parse.
# Versions: Bun 1.4.5 (@oven/bun-linux-x64 from npm) and Node 20.20 to compare, Linux 6.18.
# Source: Bun, src/js/internal/fs/streams.ts (writeFast of process.stdout, on a FileSink that queues) and the native
#   console, which writes to the descriptor by itself; pull request 37128, "one stdio sink per fd; console writes through
#   the stream like Node", open in August 2026, tells of both.
# Output seen: the line's place among the bytes that arrived
#   node, a frame of 1 MiB, then a line: 1048576 of 1048581
#   bun, a frame of 1 MiB, then a line: 65536 of 1048581
#   node, 20 frames of 10000 bytes, then a line: 200000 of 200005
#   bun, 20 frames of 10000 bytes, then a line: within a frame
#   bun, 200 frames of 1 KiB, then a line: between two frames
#   bun, a frame of 1 MiB that is awaited, then a line: 1048576 of 1048581
#   bun, a frame of 1 MiB by console.log, then a line: 1048576 of 1048581
#   bun, a frame of 32 KiB, then a line: 32768 of 32773
set -euo pipefail

for tool in npm node python3; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "cannot run: this is not Linux on x86-64"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" @oven/bun-linux-x64@1.4.5 >/dev/null 2>&1 ||
    { echo "cannot run: Bun 1.4.5 could not be installed"; exit 2; }
bun=$folder/node_modules/@oven/bun-linux-x64/bin/bun
"$bun" --version >/dev/null 2>&1 || { echo "cannot run: this processor is not one for Bun"; exit 2; }
echo "bun $("$bun" --version), node $(node --version)"
cd "$folder"

seen=$(python3 - "$bun" <<'PYTHON'
import fcntl
import subprocess
import sys
import time

RUN = {"node": ["node"], "bun": [sys.argv[1], "run"]}
FRAME = "const frame = (size) => 'x'.repeat(size - 1) + '\\n';\n"

def place(runtime, what, program):
    with open("program.mjs", "w") as file:
        file.write(FRAME + program)
    child = subprocess.Popen([*RUN[runtime], "program.mjs"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, 65536)
    time.sleep(1.5)  # a reader that is busy with something else
    arrived = child.stdout.read()
    if child.wait(20) != 0:
        return print(f"{runtime}, {what}: exit {child.returncode}")
    at = arrived.find(b"LINE\n")
    # Where exactly a queue of frames was cut is no part of the finding.
    if what[0] == "2" and at not in (-1, len(arrived) - 5):
        at = "between two frames" if arrived[at - 1:at] == b"\n" else "within a frame"
        return print(f"{runtime}, {what}: {at}")
    print(f"{runtime}, {what}: {at} of {len(arrived)}")

large = "process.stdout.write(frame(1 << 20)); console.log('LINE');"
middle = "for (let i = 0; i < 20; i += 1) process.stdout.write(frame(10000)); console.log('LINE');"
small = "for (let i = 0; i < 200; i += 1) process.stdout.write(frame(1024)); console.log('LINE');"
for runtime in RUN:
    place(runtime, "a frame of 1 MiB, then a line", large)
for runtime in RUN:
    place(runtime, "20 frames of 10000 bytes, then a line", middle)
place("bun", "200 frames of 1 KiB, then a line", small)
place("bun", "a frame of 1 MiB that is awaited, then a line",
      "await new Promise((done) => process.stdout.write(frame(1 << 20), done)); console.log('LINE');")
place("bun", "a frame of 1 MiB by console.log, then a line", "console.log(frame(1 << 20).trim()); console.log('LINE');")
place("bun", "a frame of 32 KiB, then a line", "process.stdout.write(frame(1 << 15)); console.log('LINE');")
PYTHON
)
echo "$seen"

expected='node, a frame of 1 MiB, then a line: 1048576 of 1048581
bun, a frame of 1 MiB, then a line: 65536 of 1048581
node, 20 frames of 10000 bytes, then a line: 200000 of 200005
bun, 20 frames of 10000 bytes, then a line: within a frame
bun, 200 frames of 1 KiB, then a line: between two frames
bun, a frame of 1 MiB that is awaited, then a line: 1048576 of 1048581
bun, a frame of 1 MiB by console.log, then a line: 1048576 of 1048581
bun, a frame of 32 KiB, then a line: 32768 of 32773'
[ "$seen" = "$expected" ] || { echo "changed: Bun puts the line elsewhere"; exit 1; }
echo "as stated"
