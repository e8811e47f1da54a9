"""Error-versus-reject curves (ISO/IEC 29794-1): FNMR at FMR 1e-3, when the worst probes are rejected.

The probes are the photographs of a folder of people, as they are and degraded. The threshold is that of all probes, so
it does not move when probes are rejected. A score that predicts errors brings FNMR down. The best possible score, the
oracle, knows the distance to the reference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.identities import SEED
from models.evaluation.quality.probes import EmbeddedFace, JudgedProbes, PairOfOnePerson
from models.evaluation.reports.report import Row, new_figure

REPORTED_SHARES = (0.0, 0.1, 0.2, 0.3)
DRAWN_SHARES = np.linspace(0.0, 0.5, 51)
RANDOM_ORDERS = 200
"""How many random orders are averaged for the curve of a score that knows nothing."""

Scores = NDArray[np.float64]
"""(n,) float64: a score of each probe. The lowest are rejected first."""

SCORES: dict[str, Callable[[EmbeddedFace], float]] = {
    "quality score": lambda face: face.quality.score or 0.0,
    "detection score": lambda face: face.face.detection_score,
    "landmark score": lambda face: face.face.landmark_score,
    "sharpness": lambda face: face.quality.measures.sharpness,
    "width": lambda face: face.quality.measures.face_width_px,
}


@dataclass(frozen=True, slots=True, eq=False)
class RejectCurves:
    """The curves on one set of probes.

    misses: (n,) bool, whether a probe does not match its reference.
    scores: by name.
    """

    misses: NDArray[np.bool_]
    scores: dict[str, Scores]

    @classmethod
    def of(cls, probes: JudgedProbes) -> "RejectCurves":
        """Score the probes."""
        scores = {name: np.array([score(face) for face in probes.probes]) for name, score in SCORES.items()}
        return cls(probes.misses(), {**scores, "oracle": -probes.mated_distances().astype(np.float64)})

    def fnmr(self, name: str, share: float) -> float:
        """Return FNMR without the share of the probes that has the lowest score."""
        return self._fnmr(np.argsort(self.scores[name], kind="stable"), share)

    def random_fnmr(self, share: float) -> float:
        """Return the mean FNMR if this share is rejected at random."""
        rng = np.random.default_rng(SEED)
        orders = (rng.permutation(len(self.misses)) for _ in range(RANDOM_ORDERS))
        return float(np.mean([self._fnmr(order, share) for order in orders]))

    def _fnmr(self, order: NDArray[np.int64], share: float) -> float:
        return float(self.misses[order[int(share * len(order)) :]].mean())


@dataclass(frozen=True, slots=True, eq=False)
class RejectReport:
    """The curves on the photographs as they are, and on degraded ones."""

    sets: dict[str, RejectCurves]
    without_face: int

    def rows(self) -> list[Row]:
        """Return FNMR without the worst 0, 10, 20 and 30 %."""
        header = ("probes", "rejected by", *(f"worst {100 * share:.0f} % rejected" for share in REPORTED_SHARES))
        return [header, *(row for label, curves in self.sets.items() for row in _rows(label, curves))]

    def numbers(self) -> dict[str, object]:
        """Return FNMR by set and score, and the number of degraded probes in which no face was found."""
        fnmr = {
            label: {name: [curves.fnmr(name, share) for share in REPORTED_SHARES] for name in curves.scores}
            for label, curves in self.sets.items()
        }
        counts = {label: len(curves.misses) for label, curves in self.sets.items()}
        return {
            "shares": REPORTED_SHARES,
            "fnmr_at_fmr_1e-3": fnmr,
            "random": {label: [c.random_fnmr(share) for share in REPORTED_SHARES] for label, c in self.sets.items()},
            "probes": counts,
            "degraded_without_face": self.without_face,
        }

    def draw(self) -> Figure:
        """Draw FNMR against the share rejected, for each set."""
        figure = new_figure(12, 4.5)
        all_axes = figure.subplots(1, len(self.sets))
        for axes, (label, curves) in zip(all_axes, self.sets.items(), strict=True):
            _draw(axes, label, curves)
        figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside right upper")
        return figure


def _rows(label: str, curves: RejectCurves) -> list[Row]:
    by_score = [(name, [curves.fnmr(name, share) for share in REPORTED_SHARES]) for name in curves.scores]
    random = ("random", [curves.random_fnmr(share) for share in REPORTED_SHARES])
    return [(label, name, *(f"{100 * rate:.1f} %" for rate in rates)) for name, rates in [*by_score, random]]


def _draw(axes: Axes, label: str, curves: RejectCurves) -> None:
    for name in curves.scores:
        percents = [100 * curves.fnmr(name, share) for share in DRAWN_SHARES]
        axes.plot(100 * DRAWN_SHARES, percents, label=name, linestyle=":" if name == "oracle" else "-")
    everything = 100 * curves.misses.mean()
    axes.axhline(everything, color="grey", linestyle="--", linewidth=1, label="random")
    axes.set(title=label, xlabel="rejected (%)", ylabel="FNMR at FMR 0.001 (%)", ylim=(0, max(1.0, 1.15 * everything)))
    axes.grid(visible=True, alpha=0.3)


def evaluate_reject(pairs: list[PairOfOnePerson]) -> RejectReport:
    """Draw the curves. pairs: of `embed_pairs`. Raises DatasetError if the card of the model has no quality weights."""
    if any(pair.sharp.quality.score is None for pair in pairs):
        raise DatasetError(
            "The card of the model has no weights for the quality score. facenet-models calibrate-quality makes them."
        )
    sharp, degraded = JudgedProbes.sharp(pairs), JudgedProbes.degraded(pairs)
    without_face = len(pairs) - len(degraded.probes)
    return RejectReport({"as they are": RejectCurves.of(sharp), "degraded": RejectCurves.of(degraded)}, without_face)
