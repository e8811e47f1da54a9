"""What every network is: uint8 faces in, unit vectors out, as the model file has it (`service/card.py`)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.card import BoxCrop, FivePoint

View = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the 112-px template."""

TEMPLATE: View = (0, 0, 112, 112)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network by name. trunk: builds what maps (n, 3, height, width) float to (n, features)."""

    name: str
    height: int
    width: int
    features: int
    trunk: Callable[[], nn.Module]
    view: View = TEMPLATE

    @property
    def alignment(self) -> FivePoint:
        """How five points become this network's crop."""
        return FivePoint(view=self.view, height=self.height, width=self.width)

    def crop_of(self, canvas: FivePoint | BoxCrop) -> FivePoint | BoxCrop:
        """How a face becomes the crop of a network that is trained on such canvases: cut as they are."""
        if isinstance(canvas, FivePoint):
            return self.alignment
        return canvas.model_copy(update={"height": self.height, "width": self.width})


class Network(nn.Module):
    """f(x) of FaceNet, section 3.1: a face on the unit sphere."""

    def __init__(self, architecture: Architecture, dimension: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.dimension = dimension
        self.trunk = architecture.trunk()
        self.embedding = nn.Linear(architecture.features, dimension)

    def forward(self, crops: Tensor) -> Tensor:
        """crops: (n, h, w, 3) uint8 RGB. Returns (n, dimension) float32, each row of unit length."""
        return functional.normalize(self.embedding(self.trunk(pixels(crops))).float())


def pixels(crops: Tensor) -> Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float32 in [-1, 1], left in the order of its bytes: channels last."""
    return (crops.permute(0, 3, 1, 2).to(torch.float32) - 127.5) / 128.0
