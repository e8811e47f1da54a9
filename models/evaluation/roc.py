"""ROC of several models in one picture (FaceNet, Figure 5): VAL against FAR, over the pairs of all splits."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.metrics import FAR
from models.evaluation.report import Row, canvas, roc_axes
from models.evaluation.verification import Split

PER_DECADE = 20
SHOWN_FARS = (1e-5, 1e-4, FAR, 1e-2, 1e-1)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A model by name. far: (m,) float64, ascending; val: (m,) float64, VAL at the largest d with FAR(d) <= far."""

    model: str
    far: NDArray[np.float64]
    val: NDArray[np.float64]

    def at(self, far: float) -> float | None:
        """VAL at a FAR; None where the pairs of two people are too few to know it."""
        known = self.far[0] <= far * (1 + 1e-9)
        return float(self.val[np.argmin(np.abs(np.log(self.far / far)))]) if known else None


@dataclass(frozen=True, slots=True)
class Curves:
    """The models in the order they were given in."""

    models: tuple[Curve, ...]

    def rows(self) -> list[Row]:
        """What the table shows; the first names the columns."""
        header = ("VAL at FMR", *(f"{far:g}" for far in SHOWN_FARS))
        return [header, *((one.model, *(_percent(one.at(far)) for far in SHOWN_FARS)) for one in self.models)]

    def figures(self) -> dict[str, object]:
        """The curves."""
        return {
            "curves": [{"model": one.model, "far": one.far.tolist(), "val": one.val.tolist()} for one in self.models]
        }

    def draw(self) -> Figure:
        """VAL against FAR, which is logarithmic."""
        figure = canvas()
        axes = roc_axes(figure)
        for one in self.models:
            axes.plot(one.far, one.val, label=one.model)
        lowest = min(float(one.val[0]) for one in self.models)
        axes.set_ylim(lowest - 0.02, 1.005)
        axes.legend(loc="lower right")
        return figure


def _percent(val: float | None) -> str:
    return "" if val is None else f"{100 * val:.2f} %"


def curve(model: str, pairs: Split) -> Curve:
    """From the least FAR that so many pairs can show to 1."""
    genuine, impostors = np.sort(pairs.distances[pairs.same]), np.sort(pairs.distances[~pairs.same])
    steps = round(PER_DECADE * np.log10(impostors.size)) + 1
    shown = [far for far in SHOWN_FARS if far * impostors.size >= 1]
    far = np.unique(np.append(np.geomspace(1 / impostors.size, 1, steps), shown))
    allowed = np.floor(far * impostors.size + 1e-9).astype(np.int64)
    thresholds = np.append(impostors, np.float32(np.inf))[allowed]
    return Curve(model, far, np.searchsorted(genuine, thresholds, side="left") / genuine.size)
