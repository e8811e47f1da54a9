"""docker/vulnerabilities.py says what pip-audit found, and never that all is well if it checked nothing.

pip-audit needs a network, so a program that prints its report stands for it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CHECKED = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.4.6)"}
VULNERABLE = {"name": "numpy", "version": "2.4.6", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.4.7"]}]}


def check(tmp_path: Path, report: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a pip-audit that prints this report and ends with 0."""
    pip_audit = tmp_path / "pip-audit"
    pip_audit.write_text(f"#!{sys.executable}\nprint({report!r})\n")
    pip_audit.chmod(0o700)
    command = [sys.executable, "docker/vulnerabilities.py", str(pip_audit), "locks/serve-cpu.txt"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("packages", "code", "text"),
    [
        ([CHECKED], 0, "1 of 1 packages checked, 0 vulnerabilities"),
        ([CHECKED, SKIPPED], 2, "NOT CHECKED"),
        ([VULNERABLE, SKIPPED], 1, "numpy 2.4.6: PYSEC-1, fixed in 2.4.7"),
    ],
)
def test_the_exit_code_says_whether_all_packages_were_checked(
    tmp_path: Path, packages: list[object], code: int, text: str
) -> None:
    result = check(tmp_path, json.dumps({"dependencies": packages}))
    assert (result.returncode, result.stderr) == (code, "")
    assert text in result.stdout


def test_a_pip_audit_that_reaches_no_database_is_reported(tmp_path: Path) -> None:
    result = check(tmp_path, "")
    assert result.returncode == 2
    assert "NOT CHECKED" in result.stdout
