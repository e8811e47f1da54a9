"""The embeddings that a teacher gives a set of canvases.

Two crops of a face are embedded: the crop without augmentation, and its mirror image. The result is the mean of the two
embeddings, scaled to unit length. Embeddings are computed once for a set of faces and kept in files. So an interrupted
run continues with the first missing file. A small teacher, such as `sface`, needs 7 ms for each crop on one core.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.files import to_npy, write_atomically
from models.training.data.augmentation import NO_AUGMENTATION, Augmenter
from models.training.data.canvases import Canvases
from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.model_files.card import BoxAlignment, EmbedderCard, FivePointAlignment
from service.model_files.model_file import ModelFile
from service.pipeline.embedders.onnx import OnnxEmbedder

FACES_PER_CALL = 8
"""How many faces one call of the teacher embeds. Each face is embedded twice."""

FACES_PER_FILE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class TeacherRequest:
    """The canvases to embed.

    alignment: of the canvases.
    made_of: the arrays that the canvases are made of. Their hash is in the name of the folder with the embeddings.
    """

    canvases: Canvases
    alignment: FivePointAlignment | BoxAlignment
    made_of: tuple[NDArray[np.generic], ...]

    @property
    def key(self) -> str:
        """A hash of `made_of`, in hexadecimal. It is part of the name of the folder with the embeddings."""
        digest = hashlib.blake2b(digest_size=8)
        for array in self.made_of:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def files(self) -> int:
        """How many files the embeddings are kept in."""
        return -(-len(self.canvases) // FACES_PER_FILE)


def check_teacher(card: EmbedderCard, dimension: int) -> None:
    """Raise TrainingError if the embeddings of the teacher and of the network have different dimensions."""
    if card.dimension != dimension:
        raise TrainingError(
            f"{card.name} gives embeddings of {card.dimension} dimensions, and the network of the recipe has "
            f"{dimension}. Use a teacher and a network of the same dimension."
        )


def teacher_embeddings(
    teacher: ModelFile[EmbedderCard], request: TeacherRequest, cache: Path, done: Callable[[], object]
) -> Embeddings:
    """Return the embedding of each canvas, (n, d) float32. Only embeddings that `cache` does not hold are computed.

    cache: the parent of the folders with embeddings.
    done: called after each file.
    """
    folder = cache / f"targets-{teacher.card.id[:16]}-{request.key}"
    augmenter = Augmenter(request.alignment, teacher.card.alignment, NO_AUGMENTATION)
    parts = []
    for number in range(request.files):
        path = folder / f"{number:05d}.npy"
        if not path.exists():
            chunks = list(_embed_file(OnnxEmbedder(teacher), augmenter, request.canvases, number))
            write_atomically(path, to_npy(np.concatenate(chunks)))
        parts.append(np.load(path))
        done()
    return np.concatenate(parts)


def _embed_file(teacher: OnnxEmbedder, augmenter: Augmenter, canvases: Canvases, number: int) -> Iterator[Embeddings]:
    rng = np.random.default_rng()  # the crops do not depend on it, because nothing is augmented
    end = min((number + 1) * FACES_PER_FILE, len(canvases))
    for start in range(number * FACES_PER_FILE, end, FACES_PER_CALL):
        rows = range(start, min(start + FACES_PER_CALL, end))
        crops = augmenter.augment([canvases[row] for row in rows], rng)
        embeddings = teacher.embed(np.concatenate([crops, crops[:, :, ::-1]]))  # the crops, then their mirror images
        yield unit(embeddings[: len(crops)] + embeddings[len(crops) :])
