"""Packages of a package index that is a folder, and sources inside them."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from service.card import Source

CONTENT = b"weights"
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
# pip asks a source distribution for its metadata before it hands it out.
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


def source(member: str, content: bytes = CONTENT) -> Source:
    """A member of the package `tiny` that the zoo expects to have this content."""
    return Source(package="tiny", version="1.0", member=member, sha256=hashlib.sha256(content).hexdigest())


def write_wheel(index: Path) -> None:
    """`tiny`, with tiny/weights.bin."""
    index.mkdir(exist_ok=True)
    with zipfile.ZipFile(index / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/weights.bin", CONTENT)
        wheel.writestr("tiny-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")


def write_source_distribution(index: Path) -> None:
    """`tiny`, with tests/photograph.jpg."""
    index.mkdir(exist_ok=True)
    with tarfile.open(index / "tiny-1.0.tar.gz", "w:gz") as sdist:
        for name, text in (("pyproject.toml", PYPROJECT), ("PKG-INFO", METADATA), ("backend.py", BACKEND)):
            _add(sdist, name, text.encode())
        _add(sdist, "tests/photograph.jpg", CONTENT)


def _add(sdist: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(f"tiny-1.0/{name}")
    member.size = len(data)
    sdist.addfile(member, io.BytesIO(data))
