"""The card: a model file's description of itself. Each kind of model has fixed inputs and outputs.

    role       input                              outputs
    embedder   crops   uint8 [n, h, w, 3] RGB     embeddings float32 [n, d], unit length
    detector   images  uint8 [n, h, w, 3] RGB,    boxes float32 [n, m, 4]: x, y, width, height in pixels of the input
               h and w multiples of 32            scores float32 [n, m] in [0, 1]
                                                  landmarks float32 [n, m, 5, 2] in pixels of the input
    landmarks  crops   uint8 [n, 48, 48, 3] RGB   landmarks float32 [n, 5, 2], fractions of the crop's sides
                                                  scores float32 [n] in [0, 1]: whether the crop shows a face

Casting, mean, scale and memory layout are inside the graph. So the service needs no constants of a model.
"""

from operator import not_
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.model_files.calibration import Calibration
from service.model_files.clustering import ClusteringThresholds

ModelId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""The identity of a model: the sha256 over the nodes and initializers of its graph."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PackageSource(_Frozen):
    """A file inside a package of the Python package index."""

    package: str
    version: str
    member: str
    sha256: str


class FivePointAlignment(_Frozen):
    """Maps the five landmarks to the 112-px template by a similarity transform, then cuts out a view of the template.

    view: (left, top, right, bottom) in pixels of the template. It becomes the whole crop of `height` x `width`.
    """

    kind: Literal["five_point"] = "five_point"
    view: tuple[float, float, float, float]
    height: int = Field(ge=16, le=1024)
    width: int = Field(ge=16, le=1024)


class BoxAlignment(_Frozen):
    """Turns the detector's box until the eyes are level, then stretches it to `height` x `width`.

    margin: added on each side, as a fraction of the side of the box.
    """

    kind: Literal["box"] = "box"
    margin: float = Field(ge=-0.4, le=1.0)
    height: int = Field(ge=16, le=1024)
    width: int = Field(ge=16, le=1024)


Alignment = Annotated[FivePointAlignment | BoxAlignment, Field(discriminator="kind")]
"""How a face becomes the crop of an embedder."""


class IdentificationThreshold(_Frozen):
    """A threshold for 1:N search.

    fpir: false positive identification rate: how often a probe of a person who is not enrolled gets a match.
    references: how many faces are enrolled. The rate holds for this number.
    """

    threshold_sq_l2: float = Field(gt=0, le=4)
    fpir: float = Field(gt=0, lt=1)
    references: int = Field(ge=1)


class Thresholds(_Frozen):
    """Squared L2 distances below which two faces count as one person.

    clustering: by method, for a card without `EmbedderCard.clustering`. These do not depend on the number of people.
    chosen_on: the data that the thresholds were chosen on, in words.
    """

    verification: float = Field(FACENET_THRESHOLD_SQ_L2, gt=0, le=4)
    identification: IdentificationThreshold | None = None
    clustering: dict[str, float] = Field(default_factory=dict)
    chosen_on: str = ""


class ErrorRate(_Frozen):
    """The error rates at one threshold, on people that the model was not trained on.

    fmr: false match rate: the share of the non-mated pairs (of two people) that match. The paper calls it FAR.
    fnmr: false non-match rate: the share of the mated pairs (of one person) that do not match. It is 1 - VAL of the
    paper.
    non_mated_pairs: how many non-mated pairs were compared.
    mated_pairs: how many mated pairs were compared.
    """

    threshold_sq_l2: float = Field(gt=0, le=4)
    fmr: float = Field(ge=0, le=1)
    fnmr: float = Field(ge=0, le=1)
    non_mated_pairs: int = Field(ge=1)
    mated_pairs: int = Field(ge=1)
    measured_on: str


class QualityWeights(_Frozen):
    """How the quality score of a face is computed, see `pipeline/quality.py`. It is a logistic regression.

    detection_score, sharpness, intercept: its factors and its constant.
    embedding: (d,) the factors of the embedding.
    minimum: a face with a lower score has low quality.
    fitted_on: the data of the fit, in words.
    """

    detection_score: float
    sharpness: float
    embedding: tuple[float, ...]
    intercept: float
    minimum: float = Field(ge=0, le=1)
    fitted_on: str


class BenchmarkResult(_Frozen):
    """One measured number, and the command that measures it."""

    benchmark: str
    value: float
    standard_error: float | None = None
    command: str


class ThresholdsBetweenModels(_Frozen):
    """Thresholds between the embeddings of two models. All are measured, so there is no default.

    It does not matter which of the two models made the probe.
    """

    verification: float = Field(gt=0, le=4)
    identification: IdentificationThreshold | None = None
    chosen_on: str


class CompatibleModel(_Frozen):
    """Another model whose embeddings can be compared with those of this model (FaceNet: harmonic embeddings).

    Both models have the same dimension. All numbers were measured between the two. The first of `error_rates` is at the
    verification threshold.
    """

    name: str
    id: ModelId
    thresholds: ThresholdsBetweenModels
    error_rates: tuple[ErrorRate, ...] = Field(min_length=1)
    results: tuple[BenchmarkResult, ...] = ()
    calibration: Calibration | None = Field(None, exclude_if=not_)

    @model_validator(mode="after")
    def _first_error_rate_is_at_the_threshold(self) -> Self:
        if self.error_rates[0].threshold_sq_l2 != self.thresholds.verification:
            raise ValueError("the first of error_rates must be at thresholds.verification")
        return self


Shape = tuple[int | None, ...]
"""The shape of a tensor. None stands for any size."""

TensorShapes = dict[str, Shape]
"""The inputs or outputs of a graph, by name."""


class _Card(_Frozen):
    format: Literal[1] = 1
    name: str
    id: ModelId = Field(description="sha256 over the graph's nodes and initializers")
    architecture: str
    licence: str
    source: PackageSource | None = None
    training: str = Field(description="recipe and data")


class EmbedderCard(_Card):
    """The card of an embedder.

    The last four fields are not written when they are empty. So a file that is older than these fields keeps
    its bytes and its sha256.
    """

    role: Literal["embedder"] = "embedder"
    dimension: int = Field(ge=2, le=4096)
    alignment: Alignment
    thresholds: Thresholds = Thresholds()
    results: tuple[BenchmarkResult, ...] = ()
    error_rates: tuple[ErrorRate, ...] = Field((), exclude_if=not_)
    compatible_with: tuple[CompatibleModel, ...] = Field((), exclude_if=not_)
    quality: QualityWeights | None = Field(None, exclude_if=not_)
    calibration: Calibration | None = Field(None, exclude_if=not_)
    clustering: ClusteringThresholds | None = Field(None, exclude_if=not_)

    @model_validator(mode="after")
    def _quality_has_a_factor_for_each_dimension(self) -> Self:
        if self.quality is not None and len(self.quality.embedding) != self.dimension:
            raise ValueError("quality.embedding must have one number for each dimension")
        return self

    @model_validator(mode="after")
    def _compatible_models_are_others_and_unique(self) -> Self:
        ids = [self.id, *(model.id for model in self.compatible_with)]
        if len(set(ids)) < len(ids):
            raise ValueError("compatible_with must name other models, each once")
        return self

    def compatible_model(self, model_id: str) -> CompatibleModel | None:
        """Return the entry of the model with this id. None if the two models cannot be compared."""
        return next((model for model in self.compatible_with if model.id == model_id), None)

    def default_clustering_threshold(self, method: str) -> float | ClusteringThresholds | None:
        """Return the threshold of a clustering method, squared L2. None if the card has none."""
        return self.clustering or self.thresholds.clustering.get(method)

    @property
    def minimum_quality(self) -> float:
        """The quality score below which a face has low quality. 0 if the card has no weights for the score."""
        return self.quality.minimum if self.quality else 0.0

    @property
    def inputs(self) -> TensorShapes:
        return {"crops": (None, self.alignment.height, self.alignment.width, 3)}

    @property
    def outputs(self) -> TensorShapes:
        return {"embeddings": (None, self.dimension)}


class DetectorCard(_Card):
    """The card of a face detector."""

    role: Literal["detector"] = "detector"

    @property
    def inputs(self) -> TensorShapes:
        return {"images": (None, None, None, 3)}

    @property
    def outputs(self) -> TensorShapes:
        return {"boxes": (None, None, 4), "scores": (None, None), "landmarks": (None, None, 5, 2)}


class LandmarksCard(_Card):
    """The card of a landmark network."""

    role: Literal["landmarks"] = "landmarks"

    @property
    def inputs(self) -> TensorShapes:
        return {"crops": (None, 48, 48, 3)}

    @property
    def outputs(self) -> TensorShapes:
        return {"landmarks": (None, 5, 2), "scores": (None,)}


def first_fault(error: ValidationError) -> str:
    """Return the first field that makes a card invalid, and why."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


Card = Annotated[EmbedderCard | DetectorCard | LandmarksCard, Field(discriminator="role")]
CARD_ADAPTER: TypeAdapter[Card] = TypeAdapter(Card)
