"""The pictures of a folder, whatever its subfolders are."""

from pathlib import Path

from models.errors import DatasetError
from models.evaluation.data.identities import IMAGE_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES | {".avif", ".heic"}


def list_pictures(folder: Path) -> list[Path]:
    """Return all pictures below a folder, in the order of their paths. Raises DatasetError if there are none."""
    pictures = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not pictures:
        raise DatasetError(f"{folder} holds no pictures. Give a folder of {', '.join(sorted(SUFFIXES))} files.")
    return pictures
