"""The held-out people: a part of the people is not used for training, and the network is evaluated on them.

A run is evaluated at regular steps. Early stopping uses the evaluations. The error rates of an exported model are
measured on the same people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.errors import TrainingError
from models.evaluation.metrics.labelled_pairs import LabelledPairs, all_pairs
from models.preparation.shards import Flag, read_set
from models.progress import progress_bar
from models.training.data.augmentation import NO_AUGMENTATION, Augmenter
from models.training.data.canvases import Rows
from models.training.data.face_set import FaceSet, load_face_set
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import BoxAlignment, FivePointAlignment

EXCLUDED_FLAGS: tuple[Flag, ...] = ("mislabelled", "near_duplicate")
"""The flags of `prepare` whose faces are not used. Wrong labels make wrong triplets. Duplicates add no information."""

FACES_PER_CALL = 64
"""How many crops the network embeds at once."""

MAX_FACES_PER_PERSON = 20
"""How many faces of one person are compared at most. So a person with many faces does not dominate the result."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutFaces:
    """The faces that a network is evaluated on.

    crops: (n, h, w, 3) uint8, not augmented.
    people: (n,) int64.
    """

    crops: Crops
    people: NDArray[np.int64]

    def measure(self, network: nn.Module, device: torch.device) -> LabelledPairs:
        """Embed the faces, and return every pair of them once. network: in evaluation mode."""
        return all_pairs(_embed(network, self.crops, device), self.people)


def journal_values(pairs: LabelledPairs) -> dict[str, float]:
    """Return the values of an evaluation that the journal records, by name."""
    return {
        "val_at_fmr_1e-3": pairs.val_at_fmr(),
        "threshold_at_fmr_1e-3_sq_l2": pairs.threshold_at_fmr(),
        "fmr_at_1.242": pairs.false_match_rate(FACENET_THRESHOLD_SQ_L2),
        "fnmr_at_1.242": 1.0 - pairs.validation_rate(FACENET_THRESHOLD_SQ_L2),
    }


def load_prepared_faces(data: Path) -> FaceSet:
    """Return the faces that `prepare` wrote, without the faces of EXCLUDED_FLAGS.

    data: the folder that `prepare` wrote to.
    Raises DatasetError if the set is not complete, or if a shard is damaged.
    """
    with progress_bar(len(read_set(data).shards), "Loading faces") as done:
        return load_face_set(data, done, EXCLUDED_FLAGS)


def split_held_out(faces: FaceSet, share: float, seed: int) -> tuple[FaceSet, FaceSet]:
    """Return the faces to train on, and the faces of the held-out people.

    share: the share of the people that is held out. With 0, nobody is held out, and each of the two sets is all faces.
    This is for a set of very few people.
    Raises DatasetError if one of the two sets would be empty.
    """
    return faces.split_people(share, seed) if share else (faces, faces)


def make_held_out_faces(
    faces: FaceSet, alignment: FivePointAlignment | BoxAlignment, rng: np.random.Generator
) -> HeldOutFaces:
    """Return the crops of at most MAX_FACES_PER_PERSON faces of each person.

    alignment: of the crops.
    rng: draws the faces of people who have more than that.
    Raises TrainingError if there are fewer than two people, or if nobody has two faces.
    """
    counts = np.bincount(faces.people)
    if np.count_nonzero(counts) < 2 or counts.max() < 2:
        raise TrainingError(
            f"{len(faces)} faces of {np.count_nonzero(counts)} people are held out. An evaluation needs at least two "
            "people, and two faces of one of them. Prepare more people, or more photographs of the same people."
        )
    rows = np.concatenate([_draw_faces(faces.people, person, rng) for person in np.unique(faces.people)])
    augmenter = Augmenter(faces.alignment, alignment, NO_AUGMENTATION)
    return HeldOutFaces(augmenter.augment(faces.canvases[rows], rng), faces.people[rows])


def _draw_faces(people: Rows, person: int, rng: np.random.Generator) -> Rows:
    return rng.permutation(np.flatnonzero(people == person))[:MAX_FACES_PER_PERSON]


@torch.no_grad()
def _embed(network: nn.Module, crops: Crops, device: torch.device) -> Embeddings:
    """Return the embeddings of the crops, (n, d) float32. network: in evaluation mode."""

    def embed_chunks() -> Iterator[Embeddings]:
        for start in range(0, len(crops), FACES_PER_CALL):
            chunk = torch.from_numpy(crops[start : start + FACES_PER_CALL])
            yield network(chunk.to(device)).cpu().numpy()

    return np.concatenate(list(embed_chunks()))
