"""The recipes by name.

`cost` and `result` were measured when the recipe was run: on two shared cores of a CPU with bfloat16, with 32,170 faces
of 1,019 people. The other people of the set, one in twenty, were held out. `models/README.md` has the table.
"""

from dataclasses import replace

from models.errors import TrainingError
from models.training.data.blends import BlendSettings
from models.training.data.triplet_batches import TripletBatchSettings
from models.training.optimisation.schedule import Schedule
from models.training.recipes.settings import (
    ArcFaceSettings,
    AverageSettings,
    CosFaceSettings,
    DistillationSettings,
    HarmonicSettings,
    OptimiserSettings,
    Recipe,
    TripletSettings,
)

ADAGRAD = OptimiserSettings("adagrad", learning_rate=0.05)
"""The optimiser of the paper (section 3)."""

ADAMW = OptimiserSettings("adamw", learning_rate=2e-3, weight_decay=0.05)

SMOKE = Recipe(
    name="smoke",
    architecture="nns2",
    objective=DistillationSettings(),
    optimiser=ADAMW,
    schedule=Schedule(steps=300, warm_up=20),
    batch_size=6,
    chunk_size=6,
    average=AverageSettings(decay=0.95),
    evaluate_every=100,
    held_out_share=0.0,
)
"""Memorises a few photographs in half a minute. It shows only that all parts work together."""

DISTIL_COMPACT_START = Recipe(
    name="distil-compact-start",
    architecture="compact",
    objective=DistillationSettings(),
    optimiser=ADAMW,
    schedule=Schedule(steps=4_200, warm_up=200, decay=0.0),
    batch_size=256,
    chunk_size=256,
    evaluate_every=300,
    cost="1.08 million views, 95 minutes of one core",
    result="LFW 95.43 %",
)
"""One million views of faces, without blends. With more views, a network of this size begins to memorise the faces."""

DISTIL_COMPACT = replace(
    DISTIL_COMPACT_START,
    name="distil-compact",
    objective=DistillationSettings(blends=BlendSettings(60_000, share=0.6)),
    schedule=Schedule(steps=7_600, warm_up=100, decay=0.5),
    begins_with="distil-compact-start",
    cost="1.95 million views more, 110 minutes of two cores",
    result="LFW 97.53 %: compact of the catalogue",
)
"""The best small network: two million more views, of faces and blends. It uses no labels."""

DISTIL_NNS2 = replace(
    DISTIL_COMPACT,
    name="distil-nns2",
    architecture="nns2",
    objective=DistillationSettings(blends=BlendSettings(30_000, share=0.6)),
    schedule=Schedule(steps=5_000, warm_up=100, decay=0.5),
    begins_with=None,
    cost="1.28 million views, 45 minutes of two cores",
    result="LFW 92.55 %",
)

PAPER_NN1 = Recipe(
    name="paper-nn1",
    architecture="nn1",
    objective=TripletSettings(),
    optimiser=ADAGRAD,
    schedule=Schedule(steps=100_000, decay=0.3),
    batch_size=1800,
    chunk_size=100,
    average=AverageSettings(decay=0.99),
    evaluate_every=500,
    patience=20,
)
"""Section 3 of the paper, with the differences that `models/README.md` lists. It is made for a GPU, and was not run."""

PAPER_NN2 = replace(PAPER_NN1, name="paper-nn2", architecture="nn2")
PAPER_NN3 = replace(PAPER_NN1, name="paper-nn3", architecture="nn3")

TRIPLETS_NN4 = Recipe(
    name="triplets-nn4",
    architecture="nn4",
    objective=TripletSettings(batches=TripletBatchSettings(faces_per_person=12)),
    optimiser=replace(ADAMW, learning_rate=1e-3),
    schedule=Schedule(steps=600, warm_up=50, decay=0.5),
    batch_size=360,
    chunk_size=360,
    average=AverageSettings(decay=0.99),
    evaluate_every=100,
    cost="0.22 million views, 30 minutes of two cores",
    result="LFW 79.20 %",
)
"""FaceNet's loss from random weights. Batches are small, so that two cores finish in half an hour."""

TRIPLETS_NNS2 = replace(
    TRIPLETS_NN4,
    name="triplets-nns2",
    architecture="nns2",
    schedule=Schedule(steps=2_400, warm_up=100, decay=0.5),
    cost="0.86 million views, 25 minutes of one core",
    result="LFW 87.52 %",
)

ARCFACE_NNS2 = replace(
    TRIPLETS_NNS2,
    name="arcface-nns2",
    objective=ArcFaceSettings(),
    precision="float32",
    cost="0.86 million views, 48 minutes of two cores",
    result="LFW 87.10 %",
)
"""Classification with the network and the number of views of triplets-nns2, for a comparison with the triplet loss."""

COSFACE_NNS2 = replace(ARCFACE_NNS2, name="cosface-nns2", objective=CosFaceSettings(), result="not run to the end yet")

DIMENSIONS = tuple(
    replace(
        TRIPLETS_NNS2,
        name=f"triplets-nns2-d{dimension}",
        schedule=Schedule(steps=800, warm_up=50, decay=0.5),
        dimension=dimension,
        cost="0.29 million views, 7 minutes of two cores",
        result=result,
    )
    for dimension, result in ((64, "LFW 82.90 %"), (128, "LFW 83.22 %"), (256, "LFW 83.23 %"), (512, "LFW 82.83 %"))
)
"""Table 5 of the paper: the same recipe with four embedding dimensions."""

PEOPLE_COUNTS = tuple(
    replace(DIMENSIONS[1], name=f"triplets-nns2-p{people}", training_people=people, result=result)
    for people, result in ((100, "LFW 76.45 %"), (250, "LFW 81.32 %"), (500, "LFW 83.15 %"))
)
"""Table 6 of the paper: the same recipe with three numbers of people. `triplets-nns2-d128` trains on all people."""

HARMONIC_COMPACT = Recipe(
    name="harmonic-compact",
    architecture="compact",
    objective=HarmonicSettings(),
    optimiser=replace(ADAMW, learning_rate=2e-4),
    schedule=Schedule(steps=300, warm_up=20, decay=0.5),
    batch_size=900,
    chunk_size=225,
    begins_with="distil-compact",
    last_layer_steps=50,
    average=AverageSettings(decay=0.98),
    evaluate_every=50,
    cost="0.27 million views more, 20 minutes of two cores",
    result="LFW 97.53 %; in a gallery of sface rank-1 92.4 %, in its own 86.0 %",
)
"""Compatible with `sface`: its probes can be searched in a gallery of that larger network."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        SMOKE,
        DISTIL_COMPACT_START,
        DISTIL_COMPACT,
        DISTIL_NNS2,
        TRIPLETS_NN4,
        TRIPLETS_NNS2,
        ARCFACE_NNS2,
        COSFACE_NNS2,
        *DIMENSIONS,
        *PEOPLE_COUNTS,
        HARMONIC_COMPACT,
        PAPER_NN1,
        PAPER_NN2,
        PAPER_NN3,
    )
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name. Raises TrainingError, which lists the names, if there is none."""
    if name not in RECIPES:
        raise TrainingError(f"There is no recipe {name}. The recipes are {', '.join(RECIPES)}.")
    return RECIPES[name]
