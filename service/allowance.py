"""What this process may use of its machine: in a container less than there is, which Python does not see."""

import os
from math import ceil
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")
"""Its control group: limits in the files of the second kind, or of the first in folders beside them."""


def memory_bytes(group: Path = GROUP) -> int:
    """Its limit, or the machine's memory. One that is not set says `max`, or more than any machine has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    told = _told(group / "memory.max") or _told(group / "memory" / "memory.limit_in_bytes")
    return min([machine, *(int(one) for one in told if one.isdecimal())])


def cores(group: Path = GROUP) -> int:
    """How many it may keep busy: those that it may run on, or its share of time, rounded up."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    first = (_told(group / "cpu" / "cpu.cfs_quota_us"), _told(group / "cpu" / "cpu.cfs_period_us"))
    match _told(group / "cpu.max") or [*first[0], *first[1]]:
        case [quota, period] if quota.isdecimal():
            return min(mine, ceil(int(quota) / int(period)))
    return mine


def _told(file: Path) -> list[str]:
    return file.read_text("ascii").split() if file.is_file() else []
