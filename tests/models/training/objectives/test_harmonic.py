import numpy as np
import pytest
import torch

from models.training.data.canvases import Rows
from models.training.data.face_set import FaceSet
from models.training.data.triplet_batches import TripletBatches, TripletBatchSettings
from models.training.objectives.harmonic import HarmonicObjective
from models.training.objectives.triplet_mining import SemiHardMiner
from service.domain.embedding import Embeddings
from tests.models.training.objectives.embeddings import random_embeddings


def test_triplets_mix_the_two_networks_and_none_lies_in_the_fixed_network_only(faces: FaceSet) -> None:
    v1 = random_embeddings(len(faces), 3)
    batches = TripletBatches(faces.people, faces.sources, 16, TripletBatchSettings(faces_per_person=4))
    objective = HarmonicObjective(
        faces.canvases,
        v1,
        faces.people,
        batches,
        SemiHardMiner(),
        distillation_weight=0.0,
        similarity_weight=0.0,
    )
    rows = objective.draw_rows(np.random.default_rng(0))
    v2 = torch.from_numpy(random_embeddings(len(rows), 4))
    loss = objective.loss(v2, rows)
    stacked, people = np.concatenate([v2.numpy(), v1[rows]]), np.tile(faces.people[rows], 2)
    expected = losses_of_mixed_triplets(stacked, people, v2_rows=len(rows))
    assert loss.journal_values["triplets"] == len(expected)
    assert loss.value.item() == pytest.approx(np.mean(expected), rel=1e-4)


def losses_of_mixed_triplets(stacked: Embeddings, people: Rows, v2_rows: int) -> list[float]:
    """Return the losses of the triplets that are not only of v1, by a loop over all pairs and semi-hard negatives."""
    distances = np.square(stacked[:, None] - stacked).sum(axis=2)
    losses = []
    for a in range(len(stacked)):
        for p in np.flatnonzero((people == people[a]) & (np.arange(len(stacked)) != a)):
            semi_hard = [n for n in np.flatnonzero(people != people[a]) if 0 < distances[a, n] - distances[a, p] < 0.2]
            if semi_hard:
                n = min(semi_hard, key=distances[a].__getitem__)
                if min(a, int(p), int(n)) < v2_rows:
                    losses.append(distances[a, p] - distances[a, n] + 0.2)
    return losses
