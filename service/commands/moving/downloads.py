"""A file that is downloaded: it gets its name when it is complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_download(file: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a part file beside `file`, readable by its owner only, and yield it with its path.

    At the end, the part file gets the name of `file`. After an error, it is deleted. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")  # a new file, with the mode 0600
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target, part
            target.flush()
            os.fsync(target.fileno())
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
