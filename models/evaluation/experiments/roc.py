"""The ROC curves of several models in one picture (FaceNet, Figure 5).

The curves are VAL against FMR, which the paper calls FAR, over the pairs of all splits. Each point has its threshold.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.metrics.labelled_pairs import REPORTED_FAR, LabelledPairs, round_down
from models.evaluation.reports.report import Row, add_roc_axes, new_figure
from service.domain.distances import MAX_SQ_L2

POINTS_PER_DECADE = 20
FARS_IN_TABLE = (1e-5, 1e-4, REPORTED_FAR, 1e-2, 1e-1)


@dataclass(frozen=True, slots=True, eq=False)
class ModelCurve:
    """The curve of a model.

    far: (m,) float64, ascending.
    val: (m,) float64, VAL at the largest threshold d with FAR(d) <= far.
    thresholds: (m,) float64, these d, squared L2. The last is 4, at which every pair is accepted.
    """

    model: str
    far: NDArray[np.float64]
    val: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    def val_at(self, far: float) -> float | None:
        """Return VAL at one FAR of FARS_IN_TABLE, or None if there are too few impostor pairs to measure it."""
        return float(self.val[self._place(far)]) if self._measures(far) else None

    def threshold_at(self, far: float) -> float | None:
        """Return the threshold of `val_at`, squared L2, or None."""
        return float(self.thresholds[self._place(far)]) if self._measures(far) else None

    def cell(self, far: float) -> str:
        """Return VAL and its threshold, rounded down, as the table shows them. Empty if it cannot be measured."""
        val, threshold = self.val_at(far), self.threshold_at(far)
        return "" if val is None or threshold is None else f"{100 * val:.2f} % at {round_down(threshold):.3f}"

    def _measures(self, far: float) -> bool:
        return bool(self.far[0] <= far * (1 + 1e-9))

    def _place(self, far: float) -> int:
        return int(np.argmin(np.abs(np.log(self.far / far))))


@dataclass(frozen=True, slots=True)
class ModelCurves:
    """The curves of the models, in the order in which the user gave them."""

    curves: tuple[ModelCurve, ...]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        return [
            ("VAL at FMR, and its threshold", *(f"{far:g}" for far in FARS_IN_TABLE)),
            *((curve.model, *(curve.cell(far) for far in FARS_IN_TABLE)) for curve in self.curves),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the points of each curve."""
        return {
            "curves": [
                {
                    "model": curve.model,
                    "far": curve.far.tolist(),
                    "val": curve.val.tolist(),
                    "threshold_sq_l2": curve.thresholds.tolist(),
                }
                for curve in self.curves
            ]
        }

    def draw(self) -> Figure:
        """Draw VAL against FMR. The axis of FMR is logarithmic. A curve begins at the FMR of one impostor pair."""
        figure = new_figure()
        axes = add_roc_axes(figure)
        for curve in self.curves:
            axes.plot(curve.far, curve.val, label=curve.model)
        lowest = min(float(curve.val[0]) for curve in self.curves)
        axes.set_ylim(lowest - 0.02, 1.005)
        axes.legend(loc="lower right")
        return figure


def measure_curve(model: str, pairs: LabelledPairs) -> ModelCurve:
    """Return the curve of a model, from the FAR of a single impostor pair to 1. model: its name."""
    genuine, impostors = np.sort(pairs.distances[pairs.same]), np.sort(pairs.distances[~pairs.same])
    points = round(POINTS_PER_DECADE * np.log10(impostors.size)) + 1
    measurable = [far for far in FARS_IN_TABLE if far * impostors.size >= 1]
    far = np.unique(np.append(np.geomspace(1 / impostors.size, 1, points), measurable))
    # 1e-9, as in `LabelledPairs.threshold_at_far`: a rounding error can put the product just below a whole number.
    accepted = np.floor(far * impostors.size + 1e-9).astype(np.int64)
    thresholds = np.append(impostors, np.float32(np.inf))[accepted]
    val = np.searchsorted(genuine, thresholds, side="left") / genuine.size
    return ModelCurve(model, far, val, np.minimum(thresholds, MAX_SQ_L2).astype(np.float64))
