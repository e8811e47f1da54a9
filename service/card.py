"""The card: what a model's file says of itself, and what the three roles take and give.

    role       input                              outputs
    embedder   crops   uint8 [n, h, w, 3] RGB     embeddings float32 [n, d], unit length
    detector   images  uint8 [n, h, w, 3] RGB,    boxes float32 [n, m, 4]: x, y, width, height in pixels of the input
               h and w multiples of 32            scores float32 [n, m] in [0, 1]
                                                  landmarks float32 [n, m, 5, 2] in pixels of the input
    landmarks  crops   uint8 [n, 48, 48, 3] RGB   landmarks float32 [n, 5, 2], fractions of the crop's sides

Casting, means, scales and layouts are inside the graph, so the service knows no model's constants.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


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


class Result(_Frozen):
    """One measured figure and the command that gave it."""

    benchmark: str
    value: float
    standard_error: float | None = None
    command: str


Shape = tuple[int | None, ...]
"""None where any number will do."""

Tensors = dict[str, Shape]
"""Inputs or outputs of a graph by name."""


class _Card(_Frozen):
    format: Literal[1] = 1
    name: str
    id: str = Field(pattern=r"^[0-9a-f]{64}$", description="sha256 over the graph's nodes and initializers")
    architecture: str
    licence: str
    source: Source | None = None
    training: str = Field(description="recipe and data")


class EmbedderCard(_Card):
    """What an embedder's file says of itself."""

    role: Literal["embedder"] = "embedder"
    dimension: int = Field(ge=2, le=4096)
    alignment: Alignment
    thresholds: Thresholds = Thresholds()
    results: tuple[Result, ...] = ()

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
