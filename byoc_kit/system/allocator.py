"""Sets how much freed memory the C library's allocator keeps for the next frames, and gives the rest back.

Only glibc has these functions (https://man7.org/linux/man-pages/man3/mallopt.3.html); elsewhere they do nothing. A
limit is not changed if an environment variable sets it (``MALLOC_ARENA_MAX``, ``MALLOC_TRIM_THRESHOLD_``,
``MALLOC_MMAP_THRESHOLD_``).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# The numbers in <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# The largest value that glibc accepts. A larger block goes back to the system when it is freed.
_LARGEST_KEPT_BYTES = 32 << 20
_MOST_KEPT_BYTES = 128 << 20
_LEAST_GIVEN_BACK = 64 << 10
_ARENAS = 2


@cache
def keep_freed_frames() -> bool:
    """Let each heap keep up to 128 MB of freed memory; returns whether the allocator accepted that.

    By default, glibc may give a frame's 3 MB back when it is freed, and get them again, page by page, for the next
    frame. Depending on the heap's layout, one process of four then had 15,000 page faults a second at 720p, which took
    6 % of a core.
    """
    if {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & os.environ.keys():
        return False
    return _set(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) and _set(_M_TRIM_THRESHOLD, _MOST_KEPT_BYTES)


@cache
def bound_arenas() -> bool:
    """Make all threads share two heaps; returns whether the allocator accepted that. Call it before threads start.

    By default, there may be eight heaps per core. Each stream has new threads, which use any of the heaps, and each
    heap keeps the memory of freed frames: 100 streams of 720p took 1.5 GB.
    """
    return "MALLOC_ARENA_MAX" not in os.environ and _set(_M_ARENA_MAX, _ARENAS)


def give_back_freed() -> None:
    """Give all freed memory back to the system, for example after a stream. Takes some milliseconds."""
    malloc_trim = getattr(_libc(), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


@contextmanager
def freed_memory_goes_back() -> Iterator[None]:
    """Give the memory that the body frees back to the system, at the end of a preview or a source.

    Each thread of a preview leaves a heap of up to 64 MB, and the next preview's threads get other heaps.
    """
    if not keep_freed_frames():
        yield
        return
    _set(_M_TRIM_THRESHOLD, _LEAST_GIVEN_BACK)
    try:
        yield
    finally:
        give_back_freed()
        _set(_M_TRIM_THRESHOLD, _MOST_KEPT_BYTES)


def _set(parameter: int, value: int) -> bool:
    mallopt = getattr(_libc(), "mallopt", None)
    return mallopt is not None and bool(mallopt(parameter, value))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
