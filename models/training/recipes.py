"""Every number of every training run. A recipe is a row of numbers; `facenet-models train NAME` runs it.

Cost and result are what was measured when it was run (two shared cores of a CPU with bfloat16), on 34,448 faces of
1,073 people, a twentieth of them held out; `models/README.md` has the table.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from models.augmentation import USUAL, Augmentation
from models.errors import TrainingError
from models.training.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Distil:
    """Towards a teacher's embeddings. similarity_weight: of the term on the batch's similarities.

    blends: how many faces are made of two others (`blends.py`); they are `blended` of every batch, a share.
    """

    teacher: str = "sface"
    similarity_weight: float = 10.0
    blends: int = 0
    blended: float = 0.0


@dataclass(frozen=True, slots=True)
class Triplets:
    """FaceNet's loss. selection: of the positives; the negative is the nearest semi-hard one."""

    margin_sq_l2: float = 0.2
    per_person: int = 40
    selection: Literal["all_pairs", "hardest_positives"] = "all_pairs"


@dataclass(frozen=True, slots=True)
class Classify:
    """ArcFace (Deng et al., 2019): a class a person, `margin_degrees` between them, at the temperature 1 / `scale`."""

    margin_degrees: float = 28.6
    scale: float = 32.0


@dataclass(frozen=True, slots=True)
class Harmonise:
    """FaceNet's appendix: triplets that mix the embeddings of a fixed network with those of the one in training.

    fixed: a model of the zoo. distil_weight: of distillation from it, beside the triplets. similarity_weight: as there.
    """

    fixed: str = "sface"
    margin_sq_l2: float = 0.2
    per_person: int = 40
    distil_weight: float = 1.0
    similarity_weight: float = 10.0


Towards: TypeAlias = Distil | Triplets | Classify | Harmonise


@dataclass(frozen=True, slots=True)
class Optimiser:
    """learning_rate: at its highest. clip: the gradient's greatest length."""

    name: Literal["adagrad", "adamw", "sgd"]
    learning_rate: float
    weight_decay: float = 0.0
    clip: float = 5.0


HELD_OUT = 0.05
SEED = 20_150_612


@dataclass(frozen=True, slots=True)
class Recipe:
    """One run, over `schedule.steps` steps.

    batch: faces a step. chunk: how many of them are embedded at once with gradients; where it is less than the batch,
    the gradient is cached (`gradient_cache.py`).
    begins_with: the recipe whose network this one starts from. last_layer_steps: for how long its last layer is trained
    alone, first.
    average_decay: of the averaged weights, which are what is exported.
    held_out: the share of the people that is not trained on and looked at every `evaluate_every` steps; where it is 0,
    those trained on are looked at. people: how many of the others are trained on; all of them where it is None.
    patience: how many looks in a row without a better VAL end the run; None where its schedule alone does. What is kept
    is the last network: VAL of so few people moves more from look to look than a network does that learns no more.
    """

    name: str
    architecture: str
    towards: Towards
    optimiser: Optimiser
    schedule: Schedule
    batch: int
    chunk: int
    augmentation: Augmentation = USUAL
    dimension: int = 128
    precision: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    begins_with: str | None = None
    last_layer_steps: int = 0
    average_decay: float = 0.999
    evaluate_every: int = 200
    patience: int | None = None
    held_out: float = HELD_OUT
    people: int | None = None
    seed: int = SEED
    cost: str = ""
    result: str = ""


ADAGRAD = Optimiser("adagrad", learning_rate=0.05)
"""The paper's (section 3)."""

ADAMW = Optimiser("adamw", learning_rate=2e-3, weight_decay=0.05)

SMOKE = Recipe(
    name="smoke",
    architecture="nns2",
    towards=Distil(),
    optimiser=ADAMW,
    schedule=Schedule(steps=300, warm_up=20),
    batch=6,
    chunk=6,
    average_decay=0.95,
    evaluate_every=100,
    held_out=0.0,
)
"""Learns a handful of photographs by heart in half a minute: shows that all the parts fit, and nothing else."""

DISTIL_COMPACT_START = Recipe(
    name="distil-compact-start",
    architecture="compact",
    towards=Distil(),
    optimiser=ADAMW,
    schedule=Schedule(steps=4_200, warm_up=200, decay=0.0),
    batch=256,
    chunk=256,
    evaluate_every=300,
    cost="1.08 million views, 95 minutes of one core",
    result="LFW 95.43 %",
)
"""A million views of the faces alone: by then a network of this size begins to know them by heart."""

DISTIL_COMPACT = replace(
    DISTIL_COMPACT_START,
    name="distil-compact",
    towards=Distil(blends=60_000, blended=0.6),
    schedule=Schedule(steps=7_600, warm_up=100, decay=0.5),
    begins_with="distil-compact-start",
    cost="1.95 million views more, 110 minutes of two cores",
    result="LFW 97.53 %: compact of the zoo",
)
"""The best small network: two million views more, of faces and their blends. No labels."""

DISTIL_NNS2 = replace(
    DISTIL_COMPACT,
    name="distil-nns2",
    architecture="nns2",
    towards=Distil(blends=30_000, blended=0.6),
    schedule=Schedule(steps=5_000, warm_up=100, decay=0.5),
    begins_with=None,
    cost="1.28 million views, 45 minutes of two cores",
    result="LFW 92.55 %",
)

PAPER_NN1 = Recipe(
    name="paper-nn1",
    architecture="nn1",
    towards=Triplets(),
    optimiser=ADAGRAD,
    schedule=Schedule(steps=100_000, decay=0.3),
    batch=1800,
    chunk=100,
    average_decay=0.99,
    evaluate_every=500,
    patience=20,
)
"""Section 3 as it is printed, but for a small set of faces. Made for a GPU; not run."""

PAPER_NN2 = replace(PAPER_NN1, name="paper-nn2", architecture="nn2")
PAPER_NN3 = replace(PAPER_NN1, name="paper-nn3", architecture="nn3")

TRIPLETS_NN4 = Recipe(
    name="triplets-nn4",
    architecture="nn4",
    towards=Triplets(per_person=12),
    optimiser=replace(ADAMW, learning_rate=1e-3),
    schedule=Schedule(steps=600, warm_up=50, decay=0.5),
    batch=360,
    chunk=360,
    average_decay=0.99,
    evaluate_every=100,
    cost="0.22 million views, 30 minutes of two cores",
    result="LFW 79.20 %",
)
"""FaceNet's loss from random weights, in as many steps as two cores make in half an hour: so batches are small."""

TRIPLETS_NNS2 = replace(
    TRIPLETS_NN4,
    name="triplets-nns2",
    architecture="nns2",
    schedule=Schedule(steps=2_400, warm_up=100, decay=0.5),
    cost="0.86 million views, 25 minutes of one core",
    result="LFW 87.52 %",
)

CLASSIFY_NNS2 = replace(
    TRIPLETS_NNS2,
    name="classify-nns2",
    towards=Classify(),
    cost="0.86 million views, 21 minutes of two cores",
    result="LFW 79.83 %",
)
"""The same network over as many views, by a margin between classes: what triplets can be held against."""

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
"""Table 5: one network, one number changed."""

AMOUNTS = tuple(
    replace(DIMENSIONS[1], name=f"triplets-nns2-p{people}", people=people, result=result)
    for people, result in ((100, "LFW 76.45 %"), (250, "LFW 81.32 %"), (500, "LFW 83.15 %"))
)
"""Table 6: likewise, by people; `triplets-nns2-d128` is the point of all of them."""

HARMONIC_COMPACT = Recipe(
    name="harmonic-compact",
    architecture="compact",
    towards=Harmonise(),
    optimiser=replace(ADAMW, learning_rate=2e-4),
    schedule=Schedule(steps=300, warm_up=20, decay=0.5),
    batch=900,
    chunk=225,
    begins_with="distil-compact",
    last_layer_steps=50,
    average_decay=0.98,
    evaluate_every=50,
    cost="0.27 million views more, 20 minutes of two cores",
    result="LFW 97.53 %; in a gallery of sface rank-1 92.4 %, in its own 86.0 %",
)
"""Compatible with `sface`: its probes can be searched in a gallery of the large network."""

RECIPES: dict[str, Recipe] = {
    one.name: one
    for one in (
        SMOKE,
        DISTIL_COMPACT_START,
        DISTIL_COMPACT,
        DISTIL_NNS2,
        TRIPLETS_NN4,
        TRIPLETS_NNS2,
        CLASSIFY_NNS2,
        *DIMENSIONS,
        *AMOUNTS,
        HARMONIC_COMPACT,
        PAPER_NN1,
        PAPER_NN2,
        PAPER_NN3,
    )
}


def recipe_of(name: str) -> Recipe:
    """Raises TrainingError, naming what there is."""
    if name not in RECIPES:
        raise TrainingError(f"There is no recipe {name}. There are {', '.join(RECIPES)}.")
    return RECIPES[name]
