"""What every network has in common: it takes uint8 crops and returns unit vectors, as a model file does.

The interface of a model file is in `service/model_files/card.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.model_files.card import BoxAlignment, FivePointAlignment

View = tuple[float, float, float, float]
"""(left, top, right, bottom): the part of the 112-px template that a crop shows, in pixels of the template."""

WHOLE_TEMPLATE: View = (0, 0, 112, 112)


@dataclass(frozen=True, slots=True)
class Architecture:
    """The description of a network.

    height, width: of its crops, in pixels.
    features: the length of the trunk's output.
    build_trunk: returns the module from (n, 3, height, width) float to (n, features).
    view: the part of the template that its crops show.
    """

    name: str
    height: int
    width: int
    features: int
    build_trunk: Callable[[], nn.Module]
    view: View = WHOLE_TEMPLATE

    @property
    def alignment(self) -> FivePointAlignment:
        """The alignment of this network's crops by five landmarks."""
        return FivePointAlignment(view=self.view, height=self.height, width=self.width)

    def crop_alignment(self, canvas: FivePointAlignment | BoxAlignment) -> FivePointAlignment | BoxAlignment:
        """Return the alignment of the crops of this network, if it is trained on canvases of the alignment `canvas`.

        Crops are cut by the same kind of alignment as the canvases: by five landmarks, or by boxes.
        """
        if isinstance(canvas, FivePointAlignment):
            return self.alignment
        return canvas.model_copy(update={"height": self.height, "width": self.width})


class Network(nn.Module):
    """f(x) of FaceNet, section 3.1: it maps a face to a unit vector.

    The names `trunk` and `embedding` are in the names of the weights in every checkpoint.
    """

    def __init__(self, architecture: Architecture, dimension: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.dimension = dimension
        self.trunk = architecture.build_trunk()
        self.embedding = nn.Linear(architecture.features, dimension)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the embeddings, (n, dimension) float32, each of unit length. crops: (n, h, w, 3) uint8 RGB."""
        # Under autocast the last layer returns bfloat16, which has fewer than three decimal digits. So the length is
        # computed in float32.
        return functional.normalize(self.embedding(self.trunk(normalise_pixels(crops))).float())


def normalise_pixels(crops: Tensor) -> Tensor:
    """Map (n, h, w, 3) uint8 to (n, 3, h, w) float32 in [-1, 1].

    Only the axes are permuted, so the memory format of the result is channels last.
    """
    return (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 128.0
