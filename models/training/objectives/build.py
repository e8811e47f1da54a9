"""Build the objective of a recipe. Only this file requests the embeddings of a teacher."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.training.data.blends import CanvasesWithBlends, make_blends
from models.training.data.canvases import Canvases
from models.training.data.face_set import FaceSet
from models.training.data.sampling import FaceSampler
from models.training.data.triplet_batches import TripletBatches
from models.training.objectives.base import Objective
from models.training.objectives.classification import build_arcface, build_cosface
from models.training.objectives.distillation import DistillationObjective
from models.training.objectives.harmonic import HarmonicObjective
from models.training.objectives.triplet import TripletObjective
from models.training.objectives.triplet_mining import SelectPositives, SemiHardMiner, all_positives, hardest_positive
from models.training.random_streams import Purpose, random_stream
from models.training.recipes.settings import (
    ArcFaceSettings,
    CosFaceSettings,
    DistillationSettings,
    HarmonicSettings,
    Recipe,
    TripletSettings,
)
from service.domain.embedding import Embeddings

EmbedByTeacher = Callable[[str, Canvases, tuple[NDArray[np.generic], ...]], Embeddings]
"""Embeds canvases by a teacher (`teacher.py`).

It takes the name of the teacher in the catalogue, the canvases, and the arrays that they are made of. It returns (n, d)
float32.
"""

SELECT_POSITIVES: dict[str, SelectPositives] = {"all_pairs": all_positives, "hardest_positives": hardest_positive}


def build_objective(recipe: Recipe, faces: FaceSet, embed_by_teacher: EmbedByTeacher) -> Objective:
    """Return the objective of a recipe. Raises TrainingError if there are too few faces for its batches.

    faces: to train on.
    """
    match recipe.objective:
        case DistillationSettings() as settings:
            return _build_distillation(settings, recipe, faces, embed_by_teacher)
        case ArcFaceSettings() as settings:
            return build_arcface(settings, recipe, faces)
        case CosFaceSettings() as settings:
            return build_cosface(settings, recipe, faces)
        case TripletSettings() as settings:
            batches = TripletBatches(faces.people, faces.sources, recipe.batch_size, settings.batches)
            miner = SemiHardMiner(SELECT_POSITIVES[settings.positives], settings.margin_sq_l2)
            return TripletObjective(faces.canvases, faces.people, batches, miner)
        case HarmonicSettings() as settings:
            return _build_harmonic(settings, recipe, faces, embed_by_teacher)


def _build_distillation(
    settings: DistillationSettings, recipe: Recipe, faces: FaceSet, embed_by_teacher: EmbedByTeacher
) -> DistillationObjective:
    embeddings = embed_by_teacher(settings.teacher, faces.canvases, (faces.canvases,))
    sampler = FaceSampler.by_people(faces.people, recipe.batch_size, settings.people_exponent)
    if not settings.blends.count:
        return DistillationObjective(faces.canvases, embeddings, sampler, settings.similarity_weight)
    rng = random_stream(recipe.seed, Purpose.BLENDS)
    blends = make_blends(faces.canvases, sampler.probabilities, settings.blends, rng)
    made_of = (faces.canvases, blends.first, blends.second, blends.weights)
    of_blends = embed_by_teacher(settings.teacher, blends, made_of)
    return DistillationObjective(
        CanvasesWithBlends(blends),
        np.concatenate([embeddings, of_blends]),
        sampler.with_added_rows(settings.blends.count, settings.blends.share),
        settings.similarity_weight,
    )


def _build_harmonic(
    settings: HarmonicSettings, recipe: Recipe, faces: FaceSet, embed_by_teacher: EmbedByTeacher
) -> HarmonicObjective:
    batches = TripletBatches(faces.people, faces.sources, recipe.batch_size, settings.batches)
    return HarmonicObjective(
        canvases=faces.canvases,
        v1_embeddings=embed_by_teacher(settings.fixed_model, faces.canvases, (faces.canvases,)),
        people=faces.people,
        batches=batches,
        miner=SemiHardMiner(margin_sq_l2=settings.margin_sq_l2),
        distillation_weight=settings.distillation_weight,
        similarity_weight=settings.similarity_weight,
    )
