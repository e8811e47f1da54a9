import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc")

COUNT_HEAPS = """
import ctypes, os, threading
from service.observability.heap import limit_heaps
limit_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
at_once = threading.Barrier(8)
def allocate():
    at_once.wait()
    libc.malloc(50_000)
    at_once.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
read, write = os.pipe()
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(write, b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(os.read(read, 65536).count(b"<heap nr="))
"""

RETURN_MEMORY = """
import os
from service.observability.heap import return_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
blocks = [bytes(10_000) for _ in range(10_000)]
last = bytes(10_000)  # what is above the freed blocks keeps glibc from returning them by itself
full = resident()
del blocks
return_freed_memory()
print(full - resident())
"""


def run(program: str, **environment: str) -> int:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_all_threads_share_two_heaps() -> None:
    assert run(COUNT_HEAPS) <= 2


def test_the_operator_can_choose_another_number_of_heaps() -> None:
    assert 2 < run(COUNT_HEAPS, MALLOC_ARENA_MAX="6") <= 6


def test_freed_memory_is_returned_to_the_system() -> None:
    assert run(RETURN_MEMORY) > 80_000_000


START_OBJECTS = """
import gc
from service.observability.heap import without_start_objects
before = len(gc.get_objects())
with without_start_objects():
    inside = len(gc.get_objects())
print(int(inside < before / 10 and len(gc.get_objects()) > before / 2))
"""


def test_the_objects_of_the_start_are_not_looked_at_again() -> None:
    assert run(START_OBJECTS) == 1
