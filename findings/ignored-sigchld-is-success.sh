#!/usr/bin/env bash
# Started with SIGCHLD ignored, some launchers report a failed program as exit 0, and `uv run` finds no Python and no libc.
#
# Expected: `SIG_IGN` for SIGCHLD is how a parent gets rid of its zombies (`$SIG{CHLD} = "IGNORE"` in Perl), and what is ignored stays
#   ignored across exec. A program that starts others has to reckon with it: it sets the signal back, as shells do, or
#   its wait fails, and it says so and fails, too.
# Seen: three kinds. bash, timeout, flock, xargs, make, npm and Node set it back: exit 7 is 7. setsid --wait, git and mispipe
#   report an error of wait. But `sg`, `faketime` and `honcho run` report exit 0 for a program that failed, and so does Python's
#   subprocess, `check=True` included (asyncio says 255). And `uv run` starts nothing: "Could not detect either glibc version nor musl libc
#   version", since it learns that from a program that it starts; with a Python named it cannot query that one.
# Why it matters for a supervisor: whoever starts workers from a process that ignores SIGCHLD, or is itself started so, must set it
#   back before exec. Else a job whose command fails is a success, without a word, as soon as one of these stands
#   in between, and the first error that one does see is uv's, about a C library.
# Versions: login 4.13, faketime 0.9.10 and util-linux 2.38.1 (Debian 12); git 2.47.3; honcho 2.0.0 and uv 0.13.9 from PyPI; Python 3.11,
#   Perl 5.36, Node 20.
# Source: CPython, Lib/subprocess.py, Popen._try_wait: "This happens if SIGCLD is set to be ignored", then status 0 (honcho uses it);
#   shadow, src/newgrp.c, syslog_sg: the loop around waitpid leaves the status at 0; faketime, src/faketime.c: `waitpid(child_pid, &ret, 0)` unchecked.
# Output seen: of `sh -c 'exit 7'` behind each, as usual and with SIGCHLD ignored:
#   bash: 7, 7
#   timeout: 7, 7
#   flock: 7, 7
#   npm exec: 7, 7
#   setsid --wait: 7, 1
#   git alias: 7, 128
#   asyncio: 7, 255
#   subprocess: 7, 0
#   subprocess, check: 1, 0
#   sg: 7, 0
#   faketime: 7, 0
#   honcho run: 7, 0
#   uv run: 7, 2
#   uv says: Could not detect either glibc version nor musl libc version
set -euo pipefail

for tool in perl python3 npm git sg setsid flock timeout apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install --quiet --disable-pip-version-check honcho==2.0.0 uv==0.13.9 >/dev/null 2>&1 ||
    { echo "cannot run: honcho or uv could not be installed"; exit 2; }
for package in faketime libfaketime; do
    apt-get download "$package" >/dev/null 2>&1 || { echo "cannot run: $package could not be fetched"; exit 2; }
done
for file in ./*.deb; do dpkg-deb -x "$file" "$folder/root"; done
echo "$(setsid --version), $(git --version), faketime $(dpkg-deb -f ./faketime_*.deb Version), honcho 2.0.0, $("$folder/venv/bin/uv" --version)"
export HOME=$folder UV_CACHE_DIR=$folder/uv PATH=$folder/root/usr/bin:$PATH

cat >python.py <<'PYTHON'
import asyncio
import subprocess
import sys

async def wait(command):
    return await (await asyncio.create_subprocess_exec(*command)).wait()

how, *command = sys.argv[1:]
if how == "asyncio":
    sys.exit(asyncio.run(wait(command)))
sys.exit(subprocess.run(command, check=how == "check").returncode)
PYTHON

# usual|ignored COMMAND...: its exit status. As a group leader, as supervisors start it.
usual() { perl -e '$SIG{CHLD} = "DEFAULT"; setpgrp; exec @ARGV' "$@" </dev/null >>out 2>>errors && echo 0 || echo $?; }
ignored() { perl -e '$SIG{CHLD} = "IGNORE"; setpgrp; exec @ARGV' "$@" </dev/null >>out 2>>errors && echo 0 || echo $?; }
both() { echo "$1: $(usual "${@:2}"), $(ignored "${@:2}")"; }
program=(sh -c 'exit 7')
{
    both bash bash -c 'sh -c "exit 7"; exit $?'
    both timeout timeout 5 "${program[@]}"
    both flock flock "$folder/lock" "${program[@]}"
    both 'npm exec' npm exec --offline -c 'exit 7'
    both 'setsid --wait' setsid --wait "${program[@]}"
    both 'git alias' git -c 'alias.x=!exit 7' x
    both asyncio python3 python.py asyncio "${program[@]}"
    both subprocess python3 python.py run "${program[@]}"
    both 'subprocess, check' python3 python.py check "${program[@]}"
    both sg sg "$(id -gn)" -c 'exit 7'
    both faketime faketime -f +1d "${program[@]}"
    both 'honcho run' "$folder/venv/bin/honcho" run "${program[@]}"
    : >errors
    both 'uv run' "$folder/venv/bin/uv" run --no-project "${program[@]}"
    echo "uv says: $(grep -o 'Could not detect either glibc version nor musl libc version' errors)"
} >seen
cat seen
expected='bash: 7, 7
timeout: 7, 7
flock: 7, 7
npm exec: 7, 7
setsid --wait: 7, 1
git alias: 7, 128
asyncio: 7, 255
subprocess: 7, 0
subprocess, check: 1, 0
sg: 7, 0
faketime: 7, 0
honcho run: 7, 0
uv run: 7, 2
uv says: Could not detect either glibc version nor musl libc version'
[ "$(cat seen)" = "$expected" ] || { echo "changed: an ignored SIGCHLD has other effects"; exit 1; }
echo "as stated"
