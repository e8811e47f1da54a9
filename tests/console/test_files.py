"""The files of the console: small, unchanged copies of libraries, and no address of another host."""

import gzip
import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from service.api.routes.pages.home import FOLDER, MEDIA_TYPES
from tests.conftest import ROOT

FILES = sorted(path for path in FOLDER.rglob("*") if path.suffix in MEDIA_TYPES)
OWN_FILES = [path for path in FILES if path.parent.name != "vendor"]
MOST_BYTES = 150_000
MOST_LINES = 300
MOST_ENTRIES = 12
NAMESPACE = "http://www.w3.org/2000/svg"


def name(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def test_all_files_together_are_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in FILES) < MOST_BYTES


def test_the_libraries_are_those_of_their_authors() -> None:
    vendor = FOLDER / "vendor"
    listed = dict(line.split()[::-1] for line in (vendor / "SHA256SUMS").read_text("utf-8").splitlines())
    assert {path.name for path in vendor.glob("*.js")} == set(listed)
    for file, digest in listed.items():
        assert sha256((vendor / file).read_bytes()).hexdigest() == digest
        assert file in (vendor / "LICENSES.txt").read_text("utf-8")


@pytest.mark.parametrize("path", OWN_FILES, ids=name)
def test_a_file_names_no_other_host(path: Path) -> None:
    assert re.findall(r"(?:https?:)?//[\w.]+\.\w+", path.read_text("utf-8").replace(NAMESPACE, "")) == []


@pytest.mark.parametrize("path", [path for path in OWN_FILES if path.suffix == ".js"], ids=name)
def test_a_script_makes_no_html_of_text(path: Path) -> None:
    assert re.findall(r"innerHTML|outerHTML|\beval\(|new Function|document\.write", path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", OWN_FILES, ids=name)
def test_every_file_that_a_file_names_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    imported = [path.parent / found for found in re.findall(r'from "(\.[^"]+)"', text)]
    named = [FOLDER / found for found in re.findall(r'"console/([^"]+)"', text)]
    assert [name(one.resolve()) for one in [*imported, *named] if not one.exists()] == []


@pytest.mark.parametrize("path", OWN_FILES, ids=name)
def test_a_file_is_short_enough_to_be_read_at_once(path: Path) -> None:
    limit = MOST_LINES if path.suffix == ".js" else 2 * MOST_LINES
    assert path.read_text("utf-8").count("\n") <= limit


@pytest.mark.parametrize("folder", [FOLDER, *(path for path in FOLDER.iterdir() if path.is_dir())], ids=name)
def test_a_folder_has_at_most_12_entries(folder: Path) -> None:
    assert len([path for path in folder.iterdir() if path.name != "README.md"]) <= MOST_ENTRIES


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = (FOLDER / "index.html").read_text("utf-8")
    assert re.findall(r"<style|style=|\son\w+=|<script(?![^>]*src)", page) == []


@pytest.mark.slow
def test_the_wheel_has_all_files(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {path.relative_to(ROOT).as_posix() for path in FILES} <= names
