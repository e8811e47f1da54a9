import math
import mmap
import os
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


def test_memory_is_that_of_the_process_without_mapped_files(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(50_000_000))
    before = memory_bytes()
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"x") == -1
        assert memory_bytes() - before < 20_000_000
    used = bytearray(os.urandom(1)) * 50_000_000
    assert memory_bytes() - before > 40_000_000
    assert len(used) == 50_000_000


def test_memory_is_unknown_where_the_system_does_not_tell_it(tmp_path: Path) -> None:
    assert math.isnan(memory_bytes(tmp_path / "statm"))
