"""The grid of an activation: which number each of its 256 integers stands for. Each channel has its own scale.

In a graph, all channels of an activation share one scale. A PReLU, and the depthwise convolution after it, let a factor
of a channel pass: PReLU(s y) = s PReLU(y) for s > 0. So the scale of a channel is moved into the weights before and
after the activation, and the shared scale is 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SFACE = Path(__file__).with_name("sface.npz")
"""The grids of SFace. `facenet-models calibrate-int8` writes it."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The integer i of channel c stands for (i - zero_point) * scale[c].

    scale: (c,) float64.
    zero_point: in 0..255.
    shift: (c,) float64, in steps of the grid. It is added to the bias, because rounded weights shift the mean.
    """

    scale: NDArray[np.float64]
    zero_point: int
    shift: NDArray[np.float64]


Grids = Mapping[str, Grid]
"""The grids of all convolutions, by the name of the convolution. A convolution and its PReLU share a grid."""


def read_grids(path: Path) -> dict[str, Grid]:
    """Read the grids of a network."""
    with np.load(path, allow_pickle=False) as file:
        names = [name.removesuffix("/scale") for name in file.files if name.endswith("/scale")]
        return {
            name: Grid(
                file[f"{name}/scale"].astype(np.float64),
                int(file[f"{name}/zero_point"]),
                file[f"{name}/shift"].astype(np.float64),
            )
            for name in names
        }


def write_grids(path: Path, grids: Grids) -> None:
    """Write the grids of a network, as float32."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, grid in grids.items():
        arrays[f"{name}/scale"] = grid.scale.astype(np.float32)
        arrays[f"{name}/zero_point"] = np.array(grid.zero_point, np.uint8)
        arrays[f"{name}/shift"] = grid.shift.astype(np.float32)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
