"""Look for packages with known vulnerabilities in lock files, with pip-audit.

python docker/vulnerabilities.py .venv-audit/bin/pip-audit locks/serve-cpu.txt ...

The exit code is 0 if every package was checked and none has a known vulnerability, 1 if one has, and 2 if none was
found but not all packages could be checked. pip-audit itself also ends with 0 if it could check no package at all.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

CLEAN, FOUND, NOT_CHECKED = 0, 1, 2


def main(pip_audit: str, locks: Sequence[str]) -> int:
    """Print what is known about the packages of each lock file, and return the exit code."""
    codes = {check_lock(pip_audit, lock) for lock in locks}
    if FOUND in codes:
        return FOUND
    if NOT_CHECKED in codes:
        print(
            "NOT CHECKED: the database of vulnerabilities was not reached for all packages. Repeat this with a network."
        )
        return NOT_CHECKED
    return CLEAN


def check_lock(pip_audit: str, lock: str) -> int:
    """Print the vulnerabilities of one lock file, and how many of its packages were checked."""
    command = [pip_audit, "--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json", "-r", lock]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # pip-audit
    try:
        packages: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        print(f"{lock}: pip-audit failed. {result.stderr.strip().rpartition(chr(10))[2][:300]}")
        return NOT_CHECKED
    unchecked = sum("skip_reason" in package for package in packages)
    found = [(package, entry) for package in packages for entry in package.get("vulns", ())]
    print(f"{lock}: {len(packages) - unchecked} of {len(packages)} packages checked, {len(found)} vulnerabilities")
    for package, entry in found:
        remedy = f"fixed in {', '.join(entry['fix_versions'])}" if entry["fix_versions"] else "no fix is known"
        print(f"  {package['name']} {package['version']}: {entry['id']}, {remedy}")
    if found:
        return FOUND
    return NOT_CHECKED if unchecked else CLEAN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
