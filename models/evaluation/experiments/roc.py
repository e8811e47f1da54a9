"""The ROC curves of several models in one picture (FaceNet, Figure 5).

The curves are VAL against FMR, which the paper calls FMR, over the pairs of all splits. Each point has its threshold.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.metrics.labelled_pairs import REPORTED_FMR, LabelledPairs, round_down
from models.evaluation.reports.report import Row, add_roc_axes, new_figure
from service.domain.distances import MAX_SQ_L2

POINTS_PER_DECADE = 20
FMRS_IN_TABLE = (1e-5, 1e-4, REPORTED_FMR, 1e-2, 1e-1)


@dataclass(frozen=True, slots=True, eq=False)
class ModelCurve:
    """The curve of a model.

    fmr: (m,) float64, ascending.
    val: (m,) float64, VAL at the largest threshold d with FMR(d) <= fmr.
    thresholds: (m,) float64, these d, squared L2. The last is 4, at which every pair is accepted.
    """

    model: str
    fmr: NDArray[np.float64]
    val: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    def val_at(self, fmr: float) -> float | None:
        """Return VAL at one FMR of FMRS_IN_TABLE, or None if there are too few non-mated pairs to measure it."""
        return float(self.val[self._place(fmr)]) if self._measures(fmr) else None

    def threshold_at(self, fmr: float) -> float | None:
        """Return the threshold of `val_at`, squared L2, or None."""
        return float(self.thresholds[self._place(fmr)]) if self._measures(fmr) else None

    def cell(self, fmr: float) -> str:
        """Return VAL and its threshold, rounded down, as the table shows them. Empty if it cannot be measured."""
        val, threshold = self.val_at(fmr), self.threshold_at(fmr)
        return "" if val is None or threshold is None else f"{100 * val:.2f} % at {round_down(threshold):.3f}"

    def _measures(self, fmr: float) -> bool:
        return bool(self.fmr[0] <= fmr * (1 + 1e-9))

    def _place(self, fmr: float) -> int:
        return int(np.argmin(np.abs(np.log(self.fmr / fmr))))


@dataclass(frozen=True, slots=True)
class ModelCurves:
    """The curves of the models, in the order in which the user gave them."""

    curves: tuple[ModelCurve, ...]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        return [
            ("VAL at FMR, and its threshold", *(f"{fmr:g}" for fmr in FMRS_IN_TABLE)),
            *((curve.model, *(curve.cell(fmr) for fmr in FMRS_IN_TABLE)) for curve in self.curves),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the points of each curve."""
        return {
            "curves": [
                {
                    "model": curve.model,
                    "fmr": curve.fmr.tolist(),
                    "val": curve.val.tolist(),
                    "threshold_sq_l2": curve.thresholds.tolist(),
                }
                for curve in self.curves
            ]
        }

    def draw(self) -> Figure:
        """Draw VAL against FMR. The axis of FMR is logarithmic. A curve begins at the FMR of one non-mated pair."""
        figure = new_figure()
        axes = add_roc_axes(figure)
        for curve in self.curves:
            axes.plot(curve.fmr, curve.val, label=curve.model)
        lowest = min(float(curve.val[0]) for curve in self.curves)
        axes.set_ylim(lowest - 0.02, 1.005)
        axes.legend(loc="lower right")
        return figure


def measure_curve(model: str, pairs: LabelledPairs) -> ModelCurve:
    """Return the curve of a model, from the FMR of a single non-mated pair to 1. model: its name."""
    mated, non_mated = np.sort(pairs.distances[pairs.same]), np.sort(pairs.distances[~pairs.same])
    points = round(POINTS_PER_DECADE * np.log10(non_mated.size)) + 1
    measurable = [fmr for fmr in FMRS_IN_TABLE if fmr * non_mated.size >= 1]
    fmr = np.unique(np.append(np.geomspace(1 / non_mated.size, 1, points), measurable))
    # 1e-9, as in `LabelledPairs.threshold_at_fmr`: a rounding error can put the product just below a whole number.
    accepted = np.floor(fmr * non_mated.size + 1e-9).astype(np.int64)
    thresholds = np.append(non_mated, np.float32(np.inf))[accepted]
    val = np.searchsorted(mated, thresholds, side="left") / mated.size
    return ModelCurve(model, fmr, val, np.minimum(thresholds, MAX_SQ_L2).astype(np.float64))
