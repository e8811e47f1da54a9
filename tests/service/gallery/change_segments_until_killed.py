"""A process that enrols blocks of faces and deletes subjects until it is killed, in an index with segments.

It prints the number of each acknowledged block, and "-" and the number of each acknowledged deletion. Segments are
merged and snapshots are written all the time.
"""

import sys
from itertools import count
from pathlib import Path

import pytest

from service.gallery.base import FaceOfSubject, FaceToEnrol, SubjectToCreate
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.service.gallery.small_segments import use_small_segments
from tests.support.blocking_gallery import BlockingGallery

FACES_OF_BLOCK = 20
DELETED_AFTER = 5
"""A block is deleted so many blocks later, unless its number can be divided by 3."""


def make_block(number: int) -> list[FaceToEnrol]:
    """Return the faces of one subject."""
    return make_faces(FACES_OF_BLOCK, seed=number)


def is_deleted_later(number: int) -> bool:
    """Return whether the block is deleted some blocks later."""
    return number % 3 > 0


def change_until_killed(data_dir: Path, first: int) -> None:
    """Enrol one block after the other, and delete most of them later."""
    use_small_segments(pytest.MonkeyPatch())
    gallery = BlockingGallery.open(data_dir, "faiss")
    for number in count(first):
        subject = SubjectToCreate(f"s{number}")
        gallery.enrol_block("default", [FaceOfSubject(subject, face) for face in make_block(number)], MODEL)
        print(number, flush=True)  # noqa: T201  # its output
        late = number - DELETED_AFTER
        if late >= first and is_deleted_later(late):
            gallery.delete_subject("default", f"s{late}")
            print(f"-{late}", flush=True)  # noqa: T201  # its output
        gallery.indexes.save()


if __name__ == "__main__":
    change_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
