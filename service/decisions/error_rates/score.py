"""A score from 0 to 100 beside a distance. It means the same with every model, and 50 is the threshold in force.

Each 10 points more, two people come this near ten times less often (FMR, by the calibration in the model's card).
Without a calibration, the score is a share of the distance only: 100 at the distance 0, 0 at the distance 4.

Where the calibration ends, its line is continued. So a score is always known, also where an error rate is not.
"""

from dataclasses import dataclass
from functools import cached_property

from service.domain.distances import MAX_SQ_L2
from service.model_files.calibration import Calibration

AT_THRESHOLD = 50.0
HIGHEST = 100.0
POINTS_PER_TENFOLD = 10.0


@dataclass(frozen=True)
class ScoreScale:
    """The scores of one comparison.

    threshold_sq_l2: the threshold in force.
    calibration: of the two models that are compared. None if the card has none.
    """

    threshold_sq_l2: float
    calibration: Calibration | None

    def score(self, distance_sq_l2: float) -> float:
        """Return the score of a distance, in [0, 100]. A smaller distance never has a lower score."""
        if self.calibration is None:
            return self._share(distance_sq_l2)
        tenfolds = self._log10_fmr_at_threshold - self.calibration.log10_fmr(distance_sq_l2)
        return min(max(AT_THRESHOLD + POINTS_PER_TENFOLD * tenfolds, 0.0), HIGHEST)

    @cached_property
    def _log10_fmr_at_threshold(self) -> float:
        return self.calibration.log10_fmr(self.threshold_sq_l2) if self.calibration else 0.0

    def _share(self, distance_sq_l2: float) -> float:
        """Return how far the distance is from the threshold, on the way to the least or the greatest distance."""
        beyond = distance_sq_l2 - self.threshold_sq_l2
        way = self.threshold_sq_l2 if beyond < 0 else MAX_SQ_L2 - self.threshold_sq_l2
        return AT_THRESHOLD - AT_THRESHOLD * beyond / way if beyond else AT_THRESHOLD
