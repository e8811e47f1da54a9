"""The CPU and memory that this process may use, the memory that it uses, and the limit of its files and connections.

In a container this can be less than the machine has, but Python reports the machine. The limits are in the files of the
control group (cgroup). Linux has two versions of these files. Version 2 has one folder. Version 1 has a folder for each
kind of limit.
"""

import math
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def memory_limit_bytes(cgroup: Path = CGROUP) -> int:
    """Return the memory limit of the process. Without a limit, return the memory of the machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # Without a limit, version 2 says "max" and version 1 gives a number larger than the memory of any machine.
    words = _words(cgroup / "memory.max") or _words(cgroup / "memory" / "memory.limit_in_bytes")
    return min([machine, *(int(word) for word in words if word.isdecimal())])


def memory_bytes(statm: Path = Path("/proc/self/statm")) -> float:
    """Return the memory of the process, without mapped files (proc(5)). NaN if the system does not tell it."""
    if not statm.exists():
        return math.nan
    _size, resident, shared, *_ = map(int, _words(statm))
    return float((resident - shared) * os.sysconf("SC_PAGE_SIZE"))


def cpu_count(cgroup: Path = CGROUP) -> int:
    """Return how many CPUs the process can use: its affinity, or its share of CPU time (rounded up) if that is less."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    version_1 = (_words(cgroup / "cpu" / "cpu.cfs_quota_us"), _words(cgroup / "cpu" / "cpu.cfs_period_us"))
    match _words(cgroup / "cpu.max") or [*version_1[0], *version_1[1]]:
        case [quota, period] if quota.isdecimal():
            return min(allowed, math.ceil(int(quota) / int(period)))
    return allowed


def descriptor_limit() -> int:
    """Return how many descriptors (files and connections) the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as its parent lets it have. The default is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS reports a larger limit than it grants
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _words(file: Path) -> list[str]:
    return file.read_text("ascii").split() if file.is_file() else []
