"""Write files so that a reader gets either the whole file or none, and compare files by their sha256."""

import hashlib
import io
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write a temporary file beside the path, flush it to the disk, then rename it. Missing folders are made.

    Raises OSError with the path. If the disk is full, the error of the operating system does not name the path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)  # NamedTemporaryFile lets only the owner read
            temporary.replace(path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise type(error)(error.errno, error.strerror, str(path)) from error
            raise


def remove_temporary_files(folder: Path, *names: str) -> None:
    """Remove the temporary files that a killed process left for these names.

    Call it only if no other process writes to the folder.
    """
    for name in names:
        for temporary in folder.glob(f".{name}.*"):
            temporary.unlink(missing_ok=True)


def to_npy(array: NDArray[np.generic]) -> bytes:
    """Return an array in the format of a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def has_sha256(path: Path, sha256: str) -> bool:
    """Return whether the file exists and has this sha256."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
