"""Files: written so that a reader sees the whole of one or none of it, known by their sha256."""

import hashlib
import io
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Writes beside the path, flushes to the disk, then renames. Makes the folder if it is not there.

    Raises OSError, which names the path: a full disk's does not by itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise type(error)(error.errno, error.strerror, str(path)) from error
            raise


def sweep(folder: Path, *names: str) -> None:
    """Removes what a killed process had begun to write of these files. Only for whoever alone writes there."""
    for name in names:
        for begun in folder.glob(f".{name}.*"):
            begun.unlink(missing_ok=True)


def npy(array: NDArray[np.generic]) -> bytes:
    """An array as a .npy file has it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def has(path: Path, sha256: str) -> bool:
    """Whether the file is there with this content."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
