"""The memory that glibc keeps after it was freed. On other systems, these functions do nothing."""

import ctypes
import os

HEAPS = 2
"""glibc gives each thread a heap of its own, up to eight for each core. Each keeps what was freed in it.

In our measurement, two heaps took no more CPU time than many.
"""

M_ARENA_MAX = -8
"""The number of this option in malloc.h of glibc."""

_LIBC = ctypes.CDLL(None)


def limit_heaps() -> None:
    """Let all threads share a few heaps. Call this before threads are started. MALLOC_ARENA_MAX has priority."""
    if hasattr(_LIBC, "mallopt") and "MALLOC_ARENA_MAX" not in os.environ:
        _LIBC.mallopt(M_ARENA_MAX, HEAPS)


def return_freed_memory() -> None:
    """Give memory that was freed back to the system. The start of the service frees much: it opens models."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
