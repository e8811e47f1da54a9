"""Recipe and faces -> objective. What a teacher says of the faces is asked for here, and nowhere else."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.batches import Batches
from models.faces import FaceSet
from models.training.blends import WithBlends, blended
from models.training.draws import Draw
from models.training.objectives.base import Canvases, Objective
from models.training.objectives.classification import classification
from models.training.objectives.distillation import Distillation
from models.training.objectives.harmonic import Harmony
from models.training.objectives.triplets import TripletLearning
from models.training.recipes import Classify, Distil, Harmonise, Recipe, Triplets
from models.triplets import Positives, SemiHardMiner, every_positive, hardest_positive
from service.domain import Embeddings

Ask = Callable[[str, Canvases, tuple[NDArray[np.generic], ...]], Embeddings]
"""A teacher's name in the zoo, canvases and what they are made of -> its embedding of each (`targets.py`)."""

POSITIVES: dict[str, Positives] = {"all_pairs": every_positive, "hardest_positives": hardest_positive}


def objective(recipe: Recipe, faces: FaceSet, ask: Ask) -> Objective:
    """Raises TrainingError where the faces are too few for the recipe's batches."""
    match recipe.towards:
        case Distil() as one:
            return _distillation(one, recipe, faces, ask)
        case Classify() as one:
            return classification(one, faces, recipe.batch, recipe.dimension)
        case Triplets() as one:
            return TripletLearning(faces.canvases, faces.people, _batches(recipe, faces, one.per_person), _miner(one))
        case Harmonise() as one:
            batches = _batches(recipe, faces, one.per_person)
            miner = SemiHardMiner(margin_sq_l2=one.margin_sq_l2)
            fixed = ask(one.fixed, faces.canvases, (faces.canvases,))
            return Harmony(
                faces.canvases, fixed, faces.people, batches, miner, one.distil_weight, one.similarity_weight
            )


def _distillation(one: Distil, recipe: Recipe, faces: FaceSet, ask: Ask) -> Distillation:
    targets = ask(one.teacher, faces.canvases, (faces.canvases,))
    draw = Draw.by_people(faces.people, recipe.batch)
    if not one.blends:
        return Distillation(faces.canvases, targets, draw, one.similarity_weight)
    both = WithBlends(blended(faces.canvases, faces.people, one.blends, np.random.default_rng(recipe.seed)))
    blends = both.blends
    more = ask(one.teacher, blends, (faces.canvases, blends.first, blends.second, blends.weights))
    draw = draw.beside(one.blends, one.blended)
    return Distillation(both, np.concatenate([targets, more]), draw, one.similarity_weight)


def _batches(recipe: Recipe, faces: FaceSet, per_person: int) -> Batches:
    return Batches(faces.people, faces.sources, recipe.batch, per_person)


def _miner(triplets: Triplets) -> SemiHardMiner:
    return SemiHardMiner(POSITIVES[triplets.selection], triplets.margin_sq_l2)
