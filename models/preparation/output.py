"""The folder that a set is written to: for one folder of photographs, one way of preparing, one process at a time."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from models.errors import DatasetError
from models.preparation.records import PARTS
from models.preparation.shards import Settings, Written, write_json

CLAIM = "preparation.json"
LOCK = ".lock"
BEGUN = re.compile(r"\.(faces-\d+|set|report|preparation)\.(tar|npy|json)\..+")
"""The name of a file of a set while it is written (`models/files.py`)."""


class Claim(Written):
    """preparation.json: what the folder is for. folder: the photographs', as an absolute path."""

    format: Literal[1] = 1
    folder: str
    settings: Settings


@contextmanager
def own(out: Path, claim: Claim) -> Iterator[None]:
    """Makes the folder if it is not there, keeps other runs out, and tells what goes wrong with writing in one line.

    Raises DatasetError where the folder holds something else or cannot be written, a full disk's case among them.
    """
    if out.resolve().is_relative_to(claim.folder):
        raise DatasetError(f"{out} lies inside the photographs' folder, where it would be a person. Give another OUT.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check(out, claim)
        with FileLock(out / LOCK, blocking=False, thread_local=False):
            _sweep(out)
            write_json(out / CLAIM, claim)
            yield
    except Timeout:
        raise DatasetError(f"Another run writes to {out}. Wait for it, or give another OUT.") from None
    except OSError as error:
        raise DatasetError(
            f"{out} cannot be written ({error.strerror}). Mend that and run the same command again: it goes on from "
            "the shards that are finished."
        ) from None


def _check(out: Path, claim: Claim) -> None:
    """Raises DatasetError unless the folder is empty or was made for the very same."""
    file = out / CLAIM
    try:
        theirs = Claim.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        if any(one.name != LOCK and not BEGUN.fullmatch(one.name) for one in out.iterdir()):
            raise DatasetError(f"{out} holds other files. Give an OUT that is empty or not there yet.") from None
        return
    except ValidationError:
        raise DatasetError(f"{file} is damaged or of another format. Remove {out}, or give another OUT.") from None
    different = ", ".join(_differences(theirs, claim))
    if different:
        raise DatasetError(
            f"{out} holds the set of {theirs.folder}, and not as it is wanted now: {different} differ. "
            "Give another OUT, or remove it to start anew."
        )


def _differences(theirs: Claim, ours: Claim) -> Iterator[str]:
    if theirs.folder != ours.folder:
        yield "folder"
    yield from (
        name for name in Settings.model_fields if getattr(theirs.settings, name) != getattr(ours.settings, name)
    )


def _sweep(out: Path) -> None:
    """Removes the files that a killed run had begun to write."""
    for file in (*out.glob(".*"), *(out / PARTS).glob(".*")):
        if BEGUN.fullmatch(file.name):
            file.unlink()
