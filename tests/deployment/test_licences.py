"""Every package of an image has a licence in docker/licences.toml, and docs/licences.md shows it."""

import subprocess
import sys
import tomllib
from importlib import metadata

import pytest

from tests.conftest import ROOT

LISTED = tomllib.loads((ROOT / "docker" / "licences.toml").read_text("utf-8"))
DECLARED = {
    name: str(metadata.metadata(name)["License-Expression"])
    for name in LISTED["packages"]
    if name in {package.name.lower() for package in metadata.distributions()}
    and "License-Expression" in metadata.metadata(name)
}
"""The licence that an installed package declares as an SPDX expression."""

WEAK_OR_STRONG_COPYLEFT = ("GPL", "MPL", "EPL", "CDDL", "EUPL")


def test_the_page_of_licences_is_what_the_command_prints() -> None:
    """The command fails if a package of a lock file, a model or a photograph has no licence."""
    command = [sys.executable, "docker/licences.py"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (ROOT / "docs" / "licences.md").read_text("utf-8") == result.stdout


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_the_listed_licence_is_the_one_that_the_package_declares(name: str) -> None:
    assert LISTED["packages"][name] == DECLARED[name]


def test_the_page_names_every_package_with_copyleft() -> None:
    page = (ROOT / "docs" / "licences.md").read_text("utf-8").lower()
    introduction = page.partition("## the service on a cpu")[0]
    named = {"opencv-python-headless": "opencv", "faiss-cpu": "faiss", "scikit-learn": "libgomp", "torch": "libgomp"}
    for name, licence in [*LISTED["packages"].items(), *LISTED["inside"].items()]:
        if any(word in licence for word in WEAK_OR_STRONG_COPYLEFT):
            assert named.get(name, name) in introduction, name


def test_the_list_has_no_package_that_no_image_has() -> None:
    locks = "".join((ROOT / "locks" / f"{lock}.txt").read_text("utf-8") for lock in ("serve-cpu", "serve-gpu", "train"))
    assert [name for name in LISTED["packages"] if f"\n{name}==" not in locks and name != "torch"] == []
