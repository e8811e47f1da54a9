"""A new file that only its owner can read."""

import os
import tempfile
from pathlib import Path

from service.gallery.records.sqlite.data_directory import sync_folder


def write_new_file(file: Path, text: str) -> None:
    """Create a file that only its owner can read. After a crash, it is complete or missing.

    Raises FileExistsError if it exists, or another OSError.
    """
    descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=".")  # a new file, with the mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        os.link(part, file)  # unlike a renaming, this does not replace an existing file
    finally:
        Path(part).unlink()
    sync_folder(file.parent)
