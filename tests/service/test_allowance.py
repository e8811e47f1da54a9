import os
from pathlib import Path

import pytest

from service.allowance import cores, memory_bytes

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def group(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{text}\n", "ascii")
    return folder


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "1073741824"}, 2**30),
        ({"memory.max": "max"}, MACHINE),
        ({"memory__memory.limit_in_bytes": "1073741824"}, 2**30),
        ({"memory__memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
        ({}, MACHINE),
    ],
)
def test_memory_is_the_containers_or_the_machines(files: dict[str, str], limit: int, tmp_path: Path) -> None:
    assert memory_bytes(group(tmp_path, **files)) == limit


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "max 100000"}, CORES),
        ({"cpu.max": "99900000 100000"}, CORES),
        ({"cpu__cpu.cfs_quota_us": "100000", "cpu__cpu.cfs_period_us": "100000"}, 1),
        ({"cpu__cpu.cfs_quota_us": "-1", "cpu__cpu.cfs_period_us": "100000"}, CORES),
        ({}, CORES),
    ],
)
def test_cores_are_a_share_of_time_or_those_it_may_run_on(
    files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    assert cores(group(tmp_path, **files)) == expected
