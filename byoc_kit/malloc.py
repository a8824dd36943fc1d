"""The C library's allocator, told to keep what frames free for the next ones."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# As <malloc.h> numbers them.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# The largest that glibc takes; what is larger goes back to the system when it is freed.
_LARGEST_KEPT_BYTES = 32 << 20
_MOST_KEPT_BYTES = 128 << 20
_LEAST_GIVEN_BACK = 64 << 10


@cache
def keep_freed_frames() -> bool:
    """Have each thread's heap keep up to 128 MB of freed memory; returns whether the allocator could be told.

    By default glibc may give a frame's 3 MB back when it is freed, and fetch them page by page for the next frame:
    15,000 page faults a second at 720p, 6 % of a core, in one of four processes, as the heap happens to lie. Who has
    set ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_THRESHOLD_`` keeps that. Only glibc has the function:
    https://man7.org/linux/man-pages/man3/mallopt.3.html.
    """
    if {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & os.environ.keys():
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) and mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT_BYTES))


@contextmanager
def freed_memory_goes_back() -> Iterator[None]:
    """Have what the body frees go back to the system: the end of a preview, of a source.

    Each thread that took part has left a heap of up to 64 MB, and the next preview's threads get other ones.
    """
    if not keep_freed_frames():
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_TRIM_THRESHOLD, _LEAST_GIVEN_BACK)
    try:
        yield
    finally:
        libc.malloc_trim(0)
        libc.mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT_BYTES)
