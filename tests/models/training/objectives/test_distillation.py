import numpy as np
import pytest
import torch

from models.training.data.sampling import FaceSampler
from models.training.objectives.distillation import DistillationObjective
from tests.models.training.objectives.embeddings import random_embeddings


def test_the_loss_is_the_cosine_term_plus_the_weighted_error_of_the_similarities() -> None:
    teacher, embeddings, rows = random_embeddings(6, 1), random_embeddings(4, 2), np.array([5, 0, 3, 2])
    canvases, sampler = np.empty((6, 1, 1, 3), np.uint8), FaceSampler.by_people(np.zeros(6, np.int64), 4, exponent=0.5)
    objective = DistillationObjective(canvases, teacher, sampler, similarity_weight=10.0)
    loss = objective.loss(torch.from_numpy(embeddings), rows)
    cosine_term = np.mean([1 - embeddings[i] @ teacher[row] for i, row in enumerate(rows)])
    similarity_term = np.mean(
        [(embeddings[i] @ embeddings[j] - teacher[rows[i]] @ teacher[rows[j]]) ** 2 for i in range(4) for j in range(4)]
    )
    assert loss.value.item() == pytest.approx(cosine_term + 10 * similarity_term, rel=1e-5)
    expected = {"one_minus_cosine": cosine_term, "similarity_error": similarity_term}
    assert loss.journal_values == pytest.approx(expected, rel=1e-5)
