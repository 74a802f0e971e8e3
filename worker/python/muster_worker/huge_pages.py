"""Fewer and larger pages for what a template has loaded: a fork copies an entry for each, and the end of a worker takes it away.

A worker that writes to a part of one gets a small page of its own, as before.
"""

from __future__ import annotations

import sys
from typing import Any, Iterator, Tuple

_COLLAPSE = 25
"""The advice by which the kernel, from 6.1 on, makes a huge page of small ones at once."""
_SIZE_FILE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
_FULL = 0.9
"""Of what is mapped so much must be there, or a huge page would take more memory than there was."""


def collapse() -> None:
    """Asks the kernel for them. Without `ctypes`, which numpy and its like load, there is little to gain, and nothing is done."""
    ctypes: Any = sys.modules.get("ctypes")
    if ctypes is None:
        return
    try:
        with open(_SIZE_FILE, encoding="ascii") as file:
            size = int(file.read())
        advise = ctypes.CDLL(None).madvise
        for start, end in list(_full_ranges()):
            first, last = -(-start // size) * size, end // size * size
            if first < last:
                advise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _COLLAPSE)
    except (OSError, ValueError, AttributeError):
        # The system has none, and goes on as it was.
        return


def _full_ranges() -> Iterator[Tuple[int, int]]:
    """The heap, and other memory that is of no file, where nearly all of it is in use."""
    start, end, is_ours = 0, 0, False
    with open("/proc/self/smaps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            words = line.split()
            if words[0] == "Rss:" and is_ours and int(words[1]) * 1024 >= (end - start) * _FULL:
                yield start, end
            elif not words[0].endswith(":"):
                start, end = (int(one, 16) for one in words[0].split("-"))
                is_ours = words[1] == "rw-p" and (len(words) == 5 or words[5] == "[heap]")
