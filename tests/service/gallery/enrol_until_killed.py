"""A process that enrols batches of faces until it is killed. It prints the number of each acknowledged batch.

Every second batch is a block that creates its subject.
"""

import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

from service.gallery.base import FaceOfSubject, FaceToEnrol, SubjectToCreate
from tests.service.gallery.random_faces import MODEL, make_crop, make_faces
from tests.support.blocking_gallery import BlockingGallery

BATCH_SIZE = 5


def make_batch(number: int) -> list[FaceToEnrol]:
    """Return the faces of one transaction, with their crops."""
    return [replace(face, crop=make_crop(number)) for face in make_faces(BATCH_SIZE, seed=number)]


def enrol_until_killed(data_dir: Path, first_batch: int) -> None:
    """Enrol one batch after the other. Print the number of each after it was acknowledged."""
    gallery = BlockingGallery.open(data_dir, "faiss")
    for number in count(first_batch):
        if number % 2:
            subject = SubjectToCreate(f"s{number}")
            gallery.enrol_block("default", [FaceOfSubject(subject, face) for face in make_batch(number)], MODEL)
        else:
            gallery.put_subject("default", f"s{number}", None, {})
            gallery.enrol("default", f"s{number}", make_batch(number), MODEL)
        print(number, flush=True)  # noqa: T201  # its output


if __name__ == "__main__":
    enrol_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
