#!/usr/bin/env bash
# Processes forked from one that has made an id make the same ids as each other: ulid-transform and epyxid.
#
# Expected: a ULID has 80 random bits, and an XID has the number of its process in it, so that processes need not agree on
#   anything; in Python both are safe behind a fork, as `uuid`, `random` and `ssl` are.
# Seen: when the parent has made one id before it forks, all its children make the same ones. Of ULIDs by
#   ulid-transform the 80 random bits are the same from child to child, one after another, so that two are equal as soon
#   as they are made in the same millisecond; XIDs by epyxid are equal, whole, when they are made in the same second:
#   the process number in them is that of whoever made the first. If the parent has made none, the children differ. python-ulid and
#   fastuuid, native code too, differ in either case.
# Why it matters for a supervisor: workers that are forked from a loaded template, as by `gunicorn --preload`, Celery's prefork
#   or a zygote, are all children of one parent, and one id at import (a default of a model, an id of the
#   instance, a logger's first line) is enough. Then the workers, which start the same work at the same time, give the
#   same key to different things. No test with one worker, or with workers that are started by exec, shows it.
# Versions: ulid-transform 2.2.9, epyxid 0.4.0, python-ulid 3.1.0, fastuuid 0.14.0 from PyPI; Python 3.11.
# Source: ulid-transform, src/ulid_transform/ulid_struct.hh and ulid_uint128.hh: a `static thread_local SplitMix64` that is seeded
#   once; epyxid is the crate xid, whose src/generator.rs keeps machine, process number and counter in a OnceCell.
# Output seen: "random" is all of an id but the time in it, of the first three ids of either child:
#   ulid-transform, parent made none: children differ
#   ulid-transform, parent made one: random parts are equal
#   epyxid, parent made none: children differ
#   epyxid, parent made one: random parts are equal
#   python-ulid, parent made one: children differ
#   fastuuid, parent made one: children differ
set -euo pipefail

command -v python3 >/dev/null || { echo "cannot run: python3 is missing"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/lib" \
    ulid-transform==2.2.9 epyxid==0.4.0 python-ulid==3.1.0 fastuuid==0.14.0 >"$folder/log" 2>&1 ||
    { echo "cannot run: the packages could not be installed"; exit 2; }
python3 --version

cat >"$folder/siblings.py" <<'PYTHON'
import os
import sys

def ulid_transform():
    import ulid_transform
    # 48 bits of time, 80 random ones.
    return lambda: ulid_transform.ulid_to_bytes(ulid_transform.ulid_now())[6:]

def epyxid():
    import epyxid
    # Four bytes of seconds; machine, process number and counter follow.
    return lambda: bytes(epyxid.XID())[4:]

def python_ulid():
    import ulid
    return lambda: bytes(ulid.ULID())[6:]

def fastuuid():
    import fastuuid
    return lambda: fastuuid.uuid4().bytes

def child(make):
    """What a forked child makes."""
    read, write = os.pipe()
    number = os.fork()
    if number == 0:
        os.write(write, make())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as end:
        made = end.read()
    os.waitpid(number, 0)
    return made

name, before = sys.argv[1:]
make = globals()[name]()
if before == "one":
    make()
first, second = (child(lambda: b"".join(make() for _ in range(3))) for _ in range(2))
assert len(first) == len(second) >= 24
equal = "random parts are equal" if first == second else "children differ"
print(f"{name.replace('_', '-')}, parent made {before}: {equal}")
PYTHON
siblings() { PYTHONPATH=$folder/lib timeout 30 python3 "$folder/siblings.py" "$@"; }
seen=$(
    siblings ulid_transform none
    siblings ulid_transform one
    siblings epyxid none
    siblings epyxid one
    siblings python_ulid one
    siblings fastuuid one
)
echo "$seen"
expected="ulid-transform, parent made none: children differ
ulid-transform, parent made one: random parts are equal
epyxid, parent made none: children differ
epyxid, parent made one: random parts are equal
python-ulid, parent made one: children differ
fastuuid, parent made one: children differ"
[ "$seen" = "$expected" ] || { echo "changed: forked siblings make other ids"; exit 1; }
echo "as stated"
