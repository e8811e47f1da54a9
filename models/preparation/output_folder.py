"""The output folder. It holds the face set of one folder of photographs and one set of options. One run can use it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from models.errors import DatasetError
from models.preparation.shard_records import RECORDS_FOLDER
from models.preparation.shards import JsonModel, PreparationSettings, write_json

PURPOSE_FILE = "preparation.json"
LOCK_FILE = ".lock"
TEMPORARY_FILE = re.compile(r"\.(faces-\d+|set|report|preparation)\.(tar|npy|json)\..+")
"""The name of a file of the face set while it is written (`models/files.py`)."""


class FolderPurpose(JsonModel):
    """preparation.json: what the output folder was made from. folder: the absolute path of the photographs."""

    format: Literal[1] = 1
    folder: str
    settings: PreparationSettings


@contextmanager
def lock_output_folder(out: Path, purpose: FolderPurpose) -> Iterator[None]:
    """Make the output folder if it is missing, and lock it against other runs.

    Raises DatasetError if the folder holds something else, or if another run writes to it. Also raises DatasetError
    instead of an OSError inside the context, such as that of a full disk.
    """
    if out.resolve().is_relative_to(purpose.folder):
        raise DatasetError(
            f"{out} is inside the folder of photographs, so it would count as a person. Give another OUT."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check_purpose(out, purpose)
        with FileLock(out / LOCK_FILE, blocking=False, thread_local=False):
            _remove_temporary_files(out)
            write_json(out / PURPOSE_FILE, purpose)
            yield
    except Timeout:
        raise DatasetError(f"Another run writes to {out}. Wait for it, or give another OUT.") from None
    except OSError as error:
        raise DatasetError(
            f"{out} cannot be written ({error.strerror}). Correct this and run the same command again. It continues "
            "after the finished shards."
        ) from None


def _check_purpose(out: Path, purpose: FolderPurpose) -> None:
    """Raise DatasetError unless the folder is empty or was made for the same purpose."""
    file = out / PURPOSE_FILE
    try:
        existing = FolderPurpose.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        if any(entry.name != LOCK_FILE and not TEMPORARY_FILE.fullmatch(entry.name) for entry in out.iterdir()):
            raise DatasetError(f"{out} holds other files. Give an OUT that is empty or does not exist.") from None
        return
    except ValidationError:
        raise DatasetError(f"{file} is damaged or has another format. Remove {out}, or give another OUT.") from None
    differences = ", ".join(_differences(existing, purpose))
    if differences:
        raise DatasetError(
            f"{out} holds the face set of {existing.folder}, which was made with other options: {differences}. "
            f"Give another OUT, or remove {out} to start again."
        )


def _differences(existing: FolderPurpose, purpose: FolderPurpose) -> Iterator[str]:
    if existing.folder != purpose.folder:
        yield "folder"
    for name in PreparationSettings.model_fields:
        if getattr(existing.settings, name) != getattr(purpose.settings, name):
            yield name


def _remove_temporary_files(out: Path) -> None:
    """Remove the files that a killed run was writing."""
    for file in (*out.glob(".*"), *(out / RECORDS_FOLDER).glob(".*")):
        if TEMPORARY_FILE.fullmatch(file.name):
            file.unlink()
