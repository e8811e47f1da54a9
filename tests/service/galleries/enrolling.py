"""A process to be killed: enrols photographs, a few a transaction, and says which of them are acknowledged."""

import sys
from itertools import count
from pathlib import Path

from service.galleries.base import NewFace
from service.galleries.gallery import Gallery
from tests.service.galleries.made_up import MODEL, faces

AT_ONCE = 5


def batch(turn: int) -> list[NewFace]:
    """The photographs of a transaction."""
    return faces(AT_ONCE, seed=turn)


def enrol_until_killed(data_dir: Path, first: int) -> None:
    """Prints the number of each turn after it was acknowledged."""
    gallery = Gallery.open(data_dir, "faiss")
    for turn in count(first):
        gallery.put_subject("default", f"s{turn}", None, {})
        gallery.enrol("default", f"s{turn}", batch(turn), MODEL)
        print(turn, flush=True)  # noqa: T201  # its output


if __name__ == "__main__":
    enrol_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
