"""Memory that was freed, and objects that never will be."""

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

HEAPS = 2
"""glibc gives each thread a heap of its own, up to eight for each core. Each keeps what was freed in it.

In our measurement, two heaps took no more CPU time than many.
"""

M_ARENA_MAX = -8
"""The number of this option in malloc.h of glibc."""

_LIBC = ctypes.CDLL(None)


def limit_heaps() -> None:
    """Let all threads share a few heaps, with glibc. Call this before threads start. MALLOC_ARENA_MAX has priority."""
    if hasattr(_LIBC, "mallopt") and "MALLOC_ARENA_MAX" not in os.environ:
        _LIBC.mallopt(M_ARENA_MAX, HEAPS)


@contextmanager
def without_start_objects() -> Iterator[None]:
    """Leave the objects that exist now out of garbage collection, until the context ends.

    The start makes several hundred thousand objects that stay until the end. The collector would look at all of them
    again and again, and all requests wait meanwhile.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def return_freed_memory() -> None:
    """Give memory that was freed back to the system. The start frees much, and so do imports and rewritten indexes."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
