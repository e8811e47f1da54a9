"""A process that embeds a collection again, and changes its model there and back until it is killed.

It prints the number of each acknowledged change. After an even number, the collection has the second model.
"""

import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

from service.gallery.base import EmbeddingModel
from tests.service.gallery.random_faces import MODEL, make_crop, make_face
from tests.support.blocking_gallery import BlockingGallery
from tests.support.second_sets import embed_waiting, run

SECOND = EmbeddingModel("d" * 64, MODEL.dimension)
SUBJECTS = 20


def seeds_of(gallery: BlockingGallery) -> dict[str, int]:
    """Return the seeds of the enrolled faces, by the ids of the faces."""
    model = gallery.collection_model("default") or MODEL
    return {face.id: int(face.subject) for face in gallery.references("default", model)[0]}


def switch_until_killed(data_dir: Path, first: int) -> None:
    """Enrol the faces at the first run. Then change the model again and again."""
    gallery = BlockingGallery.open(data_dir, "faiss")
    for seed in range(SUBJECTS if first == 0 else 0):
        gallery.put_subject("default", str(seed), None, {})
        gallery.enrol("default", str(seed), [replace(make_face(seed), crop=make_crop(seed))], MODEL)
    if first == 0:
        run(gallery, "begin", "default", SECOND)
    embed_waiting(gallery, seeds_of(gallery), SECOND)
    for number in count(first):
        run(gallery, "switch", "default", MODEL if number % 2 else SECOND, delete_missing=False)
        print(number, flush=True)  # noqa: T201  # its output


if __name__ == "__main__":
    switch_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
