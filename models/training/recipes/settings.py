"""What a recipe sets: the network, the objective, the optimiser, the batches, and when to stop.

A default value is what most recipes use. `recipes.py` writes only what differs.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from models.errors import TrainingError
from models.training.data.augmentation import DEFAULT_AUGMENTATION, Augmentation
from models.training.data.blends import BlendSettings
from models.training.data.triplet_batches import TripletBatchSettings
from models.training.optimisation.schedule import Schedule


@dataclass(frozen=True, slots=True)
class DistillationSettings:
    """Learn the embeddings of a teacher (`objectives/distillation.py`).

    teacher: the name of a model in the catalogue.
    similarity_weight: the weight of the term on the cosines within a batch.
    blends: the blends of two faces that are added to the faces (`data/blends.py`).
    people_exponent: a person with k faces is drawn in proportion to k ** people_exponent.
    """

    teacher: str = "sface"
    similarity_weight: float = 10.0
    blends: BlendSettings = field(default_factory=BlendSettings)
    people_exponent: float = 0.5


@dataclass(frozen=True, slots=True)
class TripletSettings:
    """The triplet loss of FaceNet (`objectives/triplet.py`).

    positives: which anchor-positive pairs are used. The negative is always the nearest semi-hard one.
    """

    margin_sq_l2: float = 0.2
    batches: TripletBatchSettings = field(default_factory=TripletBatchSettings)
    positives: Literal["all_pairs", "hardest_positives"] = "all_pairs"


@dataclass(frozen=True, slots=True)
class ClassSettings:
    """The classes of a classification: one for each person (`objectives/classification.py`).

    scale: the factor of the cosines before the softmax. It is 1 / temperature.
    centre_std: the standard deviation of the numbers of the class centres before the first step. The loss uses only the
    directions of the centres. The shorter a centre is, the more a step changes its direction.
    people_exponent: as in DistillationSettings.
    """

    scale: float = 32.0
    centre_std: float = 0.01
    people_exponent: float = 0.5


@dataclass(frozen=True, slots=True)
class ArcFaceSettings:
    """ArcFace (Deng et al., 2019): the margin is added to the angle between a face and the centre of its class.

    margin_degrees: 28.6 in the paper of ArcFace, for millions of faces.
    """

    margin_degrees: float = 11.5
    classes: ClassSettings = field(default_factory=ClassSettings)


@dataclass(frozen=True, slots=True)
class CosFaceSettings:
    """CosFace (Wang et al., 2018): the margin is subtracted from the cosine between a face and the centre of its class.

    margin_cosine: 0.35 in the paper of CosFace, for millions of faces.
    """

    margin_cosine: float = 0.2
    classes: ClassSettings = field(default_factory=ClassSettings)


@dataclass(frozen=True, slots=True)
class HarmonicSettings:
    """Triplets that mix the embeddings of a fixed model and of the network in training (`objectives/harmonic.py`).

    fixed_model: the name of a model in the catalogue.
    distillation_weight: the weight of the distillation loss from the fixed model. It is added to the triplet loss.
    similarity_weight: as in DistillationSettings.
    """

    fixed_model: str = "sface"
    margin_sq_l2: float = 0.2
    batches: TripletBatchSettings = field(default_factory=TripletBatchSettings)
    distillation_weight: float = 1.0
    similarity_weight: float = 10.0


ObjectiveSettings: TypeAlias = (
    DistillationSettings | TripletSettings | ArcFaceSettings | CosFaceSettings | HarmonicSettings
)


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """The optimiser of a recipe.

    learning_rate: the highest of the run. The schedule lowers it.
    clip: the maximum length of the gradient. A longer gradient is scaled down to this length.
    initial_accumulator: for AdaGrad: the start value of the sum of squared gradients. 0.1 was usual when the paper was
    written. With PyTorch's default of 0, the first step would change every weight by the whole learning rate, no matter
    how small its gradient is.
    betas: for AdamW: the decay rates of its two averages.
    momentum: for SGD, in Nesterov's form.
    """

    name: Literal["adagrad", "adamw", "sgd"]
    learning_rate: float
    weight_decay: float = 0.0
    clip: float = 5.0
    initial_accumulator: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9


@dataclass(frozen=True, slots=True)
class AverageSettings:
    """The moving average of the weights. The averaged network is evaluated and exported.

    decay: the share of the old average that a step keeps.
    warm_up: at the start the decay is lower, so that the random start weights soon have no effect on the average. After
    t steps the decay is at most (1 + t) / (warm_up + t). With a warm_up of 10, the average is over about the last t / 9
    steps.
    """

    decay: float = 0.999
    warm_up: int = 10


HELD_OUT_SHARE = 0.05
SEED = 20_150_612


@dataclass(frozen=True, slots=True)
class Recipe:
    """All settings of one training run of `schedule.steps` steps.

    batch_size: faces in a step.
    chunk_size: how many faces are embedded at once with gradients. If it is smaller than batch_size, gradients are
    cached (`gradient_cache.py`).
    dimension: of the embeddings.
    begins_with: the recipe whose trained network this recipe starts from. None starts from random weights.
    last_layer_steps: the number of steps at the start in which only the last layer is trained.
    evaluate_every: steps between two evaluations on the held-out people.
    patience: the run ends after this many evaluations in a row without a better VAL. With None, only the schedule ends
    the run. The last network is kept, not the best one: on so few people, VAL changes at random from one evaluation to
    the next.
    held_out_share: the share of the people that is not trained on. With 0, the run is evaluated on the people that it
    trains on.
    training_people: the number of people to train on, out of those who are not held out. None takes all.
    cost, result: the time and the accuracy of the run, in words. They change nothing in a run.
    Raises TrainingError if a batch, a chunk or the run would be empty.
    """

    name: str
    architecture: str
    objective: ObjectiveSettings
    optimiser: OptimiserSettings
    schedule: Schedule
    batch_size: int
    chunk_size: int
    augmentation: Augmentation = DEFAULT_AUGMENTATION
    dimension: int = 128
    precision: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    begins_with: str | None = None
    last_layer_steps: int = 0
    average: AverageSettings = field(default_factory=AverageSettings)
    evaluate_every: int = 200
    patience: int | None = None
    held_out_share: float = HELD_OUT_SHARE
    training_people: int | None = None
    seed: int = SEED
    cost: str = ""
    result: str = ""

    def __post_init__(self) -> None:
        counts = {"batch_size": self.batch_size, "chunk_size": self.chunk_size, "schedule.steps": self.schedule.steps}
        for name, count in counts.items():
            if count < 1:
                raise TrainingError(f"The recipe {self.name} has {name} {count}. It must be at least 1.")
