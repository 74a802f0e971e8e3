#!/usr/bin/env bash
# Under uvloop a child has its pipes a second time, and every inheritable descriptor of its parent, close_fds or not.
#
# Expected: uvloop is a drop-in replacement of asyncio's loop, so a child of asyncio.create_subprocess_exec has its stdin,
#   stdout and stderr and no other descriptor: `close_fds` is on by default, and uvloop accepts it. A background process
#   that has redirected all three, as daemons do, holds nothing of its parent.
# Seen: the child has the ends of its pipes twice, once as 0, 1 and 2 and once under the numbers that they had in the
#   parent, and every inheritable descriptor of the parent besides. So a background process that has redirected its
#   stdio keeps the pipe open all the same, and communicate() returns only at its end, though the child itself is long
#   gone; a child that closes its stdout is seen to do so only when it ends; and writes to a child that has closed its
#   stdin go on without an error. With asyncio's own loop, and the same code, none of that.
# Why it matters for a supervisor: a worker that leaves a daemon behind, the correct way, holds its supervisor's read of
#   its output for as long as the daemon lives. A lock file or a listening socket that the supervisor made inheritable
#   for one child stays open in all others. Both appear with the one line that turns uvloop on, which servers such as
#   uvicorn turn on by themselves where it is installed. Wait for the process, not for the end of its output.
# Versions: uvloop 0.23.0 from PyPI, Python 3.11, Linux 6.18.
# Source: uvloop, uvloop/loop.pyx (subprocess_exec: "TODO: Implement close_fds") and uvloop/handles/process.pyx
#   (_file_inpipe, _file_outpipe and _file_devnull make the child's end inheritable); libuv's uv_spawn copies it to 0, 1
#   and 2 and leaves the others to close-on-exec.
# Output seen:
#   asyncio, other descriptors of the child: 0 copies of its stdio, not the parent's file
#   asyncio, a background process without its stdio: communicate() returned at once
#   asyncio, a child that closed its stdout: noticed at once
#   asyncio, a child that closed its stdin: writing to it fails
#   uvloop, other descriptors of the child: 3 copies of its stdio, and the parent's file
#   uvloop, a background process without its stdio: communicate() returned at its end
#   uvloop, a child that closed its stdout: noticed at its end
#   uvloop, a child that closed its stdin: writing to it goes on
set -euo pipefail

command -v python3 >/dev/null || { echo "cannot run: python3 is missing"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --only-binary :all: --target "$folder/lib" uvloop==0.23.0 \
    >/dev/null 2>&1 || { echo "cannot run: uvloop 0.23.0 could not be installed"; exit 2; }
echo "uvloop 0.23.0, $(python3 --version)"

cat >"$folder/main.py" <<'PYTHON'
import asyncio
import os
import sys
import time

kind = sys.argv[1]
if kind == "uvloop":
    import uvloop
    loop = uvloop.new_event_loop()
else:
    loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
PIPE = asyncio.subprocess.PIPE
# What the child has open beyond 0, 1 and 2: as many as are the same pipe or socket as one of these, and number 99.
LOOK = """
import os
def what(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None
own = [what(fd) for fd in range(3)]
others = {fd: what(fd) for fd in range(3, 100)}
print(sum(it in own for it in others.values()), others[99] is not None)
"""

def say(what, seen):
    print(f"{kind}, {what}: {seen}", flush=True)

async def main():
    os.dup2(os.open("/dev/zero", os.O_RDONLY), 99, inheritable=True)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", LOOK, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    copies, file = (await child.communicate())[0].split()
    say("other descriptors of the child", f"{int(copies)} copies of its stdio, "
        f"{'and' if file == b'True' else 'not'} the parent's file")

    async def shell(script, **more):
        return await asyncio.create_subprocess_exec("sh", "-c", script, stdout=PIPE, **more), time.monotonic()

    child, start = await shell("sleep 3 </dev/null >/dev/null 2>&1 & echo started")
    output, _ = await child.communicate()
    assert (output, child.returncode) == (b"started\n", 0)
    say("a background process without its stdio", "communicate() returned " +
        ("at once" if time.monotonic() - start < 2 else "at its end"))

    child, start = await shell("exec >&-; sleep 3")
    await child.stdout.read()
    say("a child that closed its stdout", "noticed " + ("at once" if time.monotonic() - start < 2 else "at its end"))
    await child.wait()

    child, _ = await shell("exec <&-; echo closed; exec sleep 9", stdin=PIPE)
    await child.stdout.readline()
    try:
        for _ in range(10):
            child.stdin.write(b"a line\n")
            await child.stdin.drain()
            await asyncio.sleep(0.05)
        seen = "goes on"
    except (BrokenPipeError, ConnectionResetError):
        seen = "fails"
    say("a child that closed its stdin", f"writing to it {seen}")
    child.kill()
    await child.wait()

loop.run_until_complete(asyncio.wait_for(main(), 30))
PYTHON

seen=$(for kind in asyncio uvloop; do
    PYTHONPATH=$folder/lib python3 -W ignore "$folder/main.py" "$kind" </dev/null || echo "$kind: exit $?"
done)
echo "$seen"

expected='asyncio, other descriptors of the child: 0 copies of its stdio, not the parent'\''s file
asyncio, a background process without its stdio: communicate() returned at once
asyncio, a child that closed its stdout: noticed at once
asyncio, a child that closed its stdin: writing to it fails
uvloop, other descriptors of the child: 3 copies of its stdio, and the parent'\''s file
uvloop, a background process without its stdio: communicate() returned at its end
uvloop, a child that closed its stdout: noticed at its end
uvloop, a child that closed its stdin: writing to it goes on'
[ "$seen" = "$expected" ] || { echo "changed: uvloop gives its children other descriptors"; exit 1; }
echo "as stated"
