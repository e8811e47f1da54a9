import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.observability.process_limits import cpu_count, memory_bytes, memory_limit_bytes

MACHINE_MEMORY_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MACHINE_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def write_cgroup_files(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{text}\n", "ascii")
    return folder


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "1073741824"}, 2**30),
        ({"memory.max": "max"}, MACHINE_MEMORY_BYTES),
        ({"memory__memory.limit_in_bytes": "1073741824"}, 2**30),
        ({"memory__memory.limit_in_bytes": "9223372036854771712"}, MACHINE_MEMORY_BYTES),
        ({}, MACHINE_MEMORY_BYTES),
    ],
)
def test_the_memory_limit_is_that_of_the_container_or_else_the_memory_of_the_machine(
    files: dict[str, str], limit: int, tmp_path: Path
) -> None:
    assert memory_limit_bytes(write_cgroup_files(tmp_path, **files)) == limit


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "max 100000"}, MACHINE_CORES),
        ({"cpu.max": "99900000 100000"}, MACHINE_CORES),
        ({"cpu__cpu.cfs_quota_us": "100000", "cpu__cpu.cfs_period_us": "100000"}, 1),
        ({"cpu__cpu.cfs_quota_us": "-1", "cpu__cpu.cfs_period_us": "100000"}, MACHINE_CORES),
        ({}, MACHINE_CORES),
    ],
)
def test_the_cpu_count_is_the_smaller_of_the_cpu_quota_and_the_affinity(
    files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    assert cpu_count(write_cgroup_files(tmp_path, **files)) == expected


MEASURE_MEMORY = """
import mmap, os, sys
from service.observability.process_limits import memory_bytes
before = memory_bytes()
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    mapped.find(b"x")
    with_mapped_file = memory_bytes()
used = bytearray(os.urandom(1)) * 50_000_000
print(with_mapped_file - before, memory_bytes() - before)
"""


def test_memory_is_that_of_the_process_without_mapped_files(tmp_path: Path) -> None:
    """In a process of its own: that of the tests frees memory at any time."""
    file = tmp_path / "file"
    file.write_bytes(bytes(50_000_000))
    command = [sys.executable, "-c", MEASURE_MEMORY, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with_mapped_file, with_array = map(float, done.stdout.split())
    assert with_mapped_file < 5_000_000
    assert 45_000_000 < with_array < 60_000_000


def test_memory_is_unknown_where_the_system_does_not_tell_it(tmp_path: Path) -> None:
    assert math.isnan(memory_bytes(tmp_path / "statm"))
