"""A process that moves faces and merges subjects until it is killed. It prints the number of each finished merge."""

import sys
from itertools import count
from pathlib import Path

from service.gallery.base import FaceToEnrol
from tests.service.gallery.random_faces import MODEL, make_faces
from tests.support.blocking_gallery import BlockingGallery

FACES_OF_SUBJECT = 3


def make_pair(number: int) -> list[FaceToEnrol]:
    """Return the faces of two subjects that are merged later."""
    return make_faces(2 * FACES_OF_SUBJECT, seed=number)


def merge_until_killed(data_dir: Path, first: int) -> None:
    """Enrol two subjects, move a face from the second to the first, and merge them, again and again."""
    gallery = BlockingGallery.open(data_dir, "faiss")
    for number in count(first):
        faces, kept, merged = make_pair(number), f"kept{number}", f"merged{number}"
        gallery.put_subject("default", kept, None, {})
        gallery.enrol("default", kept, faces[:FACES_OF_SUBJECT], MODEL)
        gallery.put_subject("default", merged, None, {})
        moved, *_ = gallery.enrol("default", merged, faces[FACES_OF_SUBJECT:], MODEL)
        gallery.move_face("default", moved.face, kept)
        gallery.merge_subjects("default", kept, merged)
        print(number, flush=True)  # noqa: T201  # its output


if __name__ == "__main__":
    merge_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
