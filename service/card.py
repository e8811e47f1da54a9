"""The card: what a model's file says of itself, and what the three roles take and give.

    role       input                              outputs
    embedder   crops   uint8 [n, h, w, 3] RGB     embeddings float32 [n, d], unit length
    detector   images  uint8 [n, h, w, 3] RGB,    boxes float32 [n, m, 4]: x, y, width, height in pixels of the input
               h and w multiples of 32            scores float32 [n, m] in [0, 1]
                                                  landmarks float32 [n, m, 5, 2] in pixels of the input
    landmarks  crops   uint8 [n, 48, 48, 3] RGB   landmarks float32 [n, 5, 2], fractions of the crop's sides

Casting, means, scales and layouts are inside the graph, so the service knows no model's constants.
"""

from operator import not_
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

IDENTITY = r"^[0-9a-f]{64}$"
"""What a model's identity looks like: the sha256 over its graph's nodes and initializers."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """Where the weights come from: a file inside a package of the Python package index."""

    package: str
    version: str
    member: str
    sha256: str


class FivePoint(_Frozen):
    """A similarity transform of five points onto the 112-px template, then a view of it.

    view: (left, top, right, bottom) in pixels of the template, mapped to the whole crop of `height` x `width`.
    """

    kind: Literal["five_point"] = "five_point"
    view: tuple[float, float, float, float]
    height: int = Field(ge=16, le=1024)
    width: int = Field(ge=16, le=1024)


class BoxCrop(_Frozen):
    """The detector's box, turned upright by the line of the eyes and stretched to `height` x `width`.

    margin: what is added on each side, as a fraction of the box's side.
    """

    kind: Literal["box"] = "box"
    margin: float = Field(ge=-0.4, le=1.0)
    height: int = Field(ge=16, le=1024)
    width: int = Field(ge=16, le=1024)


Alignment = Annotated[FivePoint | BoxCrop, Field(discriminator="kind")]
"""How a face becomes this embedder's crop."""


class Identification(_Frozen):
    """A threshold for 1:N: at `references` enrolled faces a stranger is called somebody at the rate `fpir`."""

    threshold_sq_l2: float = Field(gt=0, le=4)
    fpir: float = Field(gt=0, lt=1)
    references: int = Field(ge=1)


class Thresholds(_Frozen):
    """Squared L2 distances below which faces count as one person's, and how each was chosen (`chosen_on`)."""

    verification: float = Field(1.242, gt=0, le=4)
    identification: Identification | None = None
    clustering: dict[str, float] = Field(default_factory=dict)
    chosen_on: str = ""


class ErrorRate(_Frozen):
    """How often faces are decided wrongly at a threshold, on people whom the model was not trained on.

    fmr: false matches of `impostor_pairs` pairs of two people (the paper's FAR). fnmr: misses of `genuine_pairs` pairs
    of one person (1 - VAL). Of several rows each is a point of the same curve.
    """

    threshold_sq_l2: float = Field(gt=0, le=4)
    fmr: float = Field(ge=0, le=1)
    fnmr: float = Field(ge=0, le=1)
    impostor_pairs: int = Field(ge=1)
    genuine_pairs: int = Field(ge=1)
    measured_on: str


class Result(_Frozen):
    """One measured figure and the command that gave it."""

    benchmark: str
    value: float
    standard_error: float | None = None
    command: str


class PairThresholds(_Frozen):
    """As `Thresholds`, between the embeddings of two models, so that each was measured and none is a default.

    They hold whichever of the two made the probe.
    """

    verification: float = Field(gt=0, le=4)
    identification: Identification | None = None
    chosen_on: str


class Compatible(_Frozen):
    """Another model of the same dimension whose embeddings may be compared with this one's (*harmonic* embeddings).

    All its figures were measured between the two; the first of `error_rates` is at the verification threshold.
    """

    name: str
    id: str = Field(pattern=IDENTITY)
    thresholds: PairThresholds
    error_rates: tuple[ErrorRate, ...] = Field(min_length=1)
    results: tuple[Result, ...] = ()

    @model_validator(mode="after")
    def _measured_at_its_threshold(self) -> Self:
        if self.error_rates[0].threshold_sq_l2 != self.thresholds.verification:
            raise ValueError("the first of error_rates must be at thresholds.verification")
        return self


Shape = tuple[int | None, ...]
"""None where any number will do."""

Tensors = dict[str, Shape]
"""Inputs or outputs of a graph by name."""


class _Card(_Frozen):
    format: Literal[1] = 1
    name: str
    id: str = Field(pattern=IDENTITY, description="sha256 over the graph's nodes and initializers")
    architecture: str
    licence: str
    source: Source | None = None
    training: str = Field(description="recipe and data")


class EmbedderCard(_Card):
    """What an embedder's file says of itself.

    Its last two fields are not written where they are empty, so files from before they were there keep their bytes.
    """

    role: Literal["embedder"] = "embedder"
    dimension: int = Field(ge=2, le=4096)
    alignment: Alignment
    thresholds: Thresholds = Thresholds()
    results: tuple[Result, ...] = ()
    error_rates: tuple[ErrorRate, ...] = Field((), exclude_if=not_)
    compatible_with: tuple[Compatible, ...] = Field((), exclude_if=not_)

    @model_validator(mode="after")
    def _others_once_each(self) -> Self:
        ids = [self.id, *(one.id for one in self.compatible_with)]
        if len(set(ids)) < len(ids):
            raise ValueError("compatible_with must name other models, each once")
        return self

    def compatible(self, model_id: str) -> Compatible | None:
        """The entry of the model with this identity; None where the two may not be compared."""
        return next((one for one in self.compatible_with if one.id == model_id), None)

    @property
    def inputs(self) -> Tensors:
        """uint8."""
        return {"crops": (None, self.alignment.height, self.alignment.width, 3)}

    @property
    def outputs(self) -> Tensors:
        """float32."""
        return {"embeddings": (None, self.dimension)}


class DetectorCard(_Card):
    """What a detector's file says of itself."""

    role: Literal["detector"] = "detector"

    @property
    def inputs(self) -> Tensors:
        """uint8."""
        return {"images": (None, None, None, 3)}

    @property
    def outputs(self) -> Tensors:
        """float32."""
        return {"boxes": (None, None, 4), "scores": (None, None), "landmarks": (None, None, 5, 2)}


class LandmarksCard(_Card):
    """What a landmark model's file says of itself."""

    role: Literal["landmarks"] = "landmarks"

    @property
    def inputs(self) -> Tensors:
        """uint8."""
        return {"crops": (None, 48, 48, 3)}

    @property
    def outputs(self) -> Tensors:
        """float32."""
        return {"landmarks": (None, 5, 2)}


Card = Annotated[EmbedderCard | DetectorCard | LandmarksCard, Field(discriminator="role")]
CARD: TypeAdapter[Card] = TypeAdapter(Card)
