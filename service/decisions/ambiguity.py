"""Between which two subjects a match is ambiguous: a second subject is nearly as near as the matched one.

The margin is in points of score (`score.py`), so it means the same with every model. With a margin of 10, a match at
the score 60 is ambiguous if another subject has a score above 50. The scores are those that the answer shows, before
they are rounded: two subjects with the score 100 are equally near. The second subject can be beyond the threshold.
"""

from collections.abc import Mapping, Sequence

from service.decisions.assignment import Assignment
from service.decisions.error_rates.score import ScoreScale
from service.gallery.search_values import Candidate

DEFAULT_MARGIN_POINTS = 10.0
"""The margin, if the caller gives none. Up to it, a wrong name that is prevented costs at most eight right ones.

From 10 to 15 points, each further one costs 7 to 14 right ones with sface, and 20 to 37 with facenet. Measured by
`benchmarks/ambiguity.py` on people who are not in LFW.
"""

Distances = Mapping[str, float]
"""The distance of a subject, squared L2, by the id of the subject."""


def margin_in_force(margin_points: float | None, scale: ScoreScale) -> float:
    """Return the margin. Without a calibration the default is 0, because points then say nothing about errors."""
    if margin_points is not None:
        return margin_points
    return DEFAULT_MARGIN_POINTS if scale.calibration else 0.0


def distances_of_matches(assignments: Sequence[Assignment]) -> Distances:
    """Return how near each matched subject is to its face."""
    return {one.match.subject: one.match.distance for one in assignments if one.match}


def find_second(
    row: Sequence[Candidate], match: Candidate | None, taken: Distances, scale: ScoreScale, margin_points: float
) -> Candidate | None:
    """Return the nearest other subject within the margin of the match. None if there is none, or no match.

    row: the candidates of a face, nearest first. For n faces of a photograph, n + 1 are enough.
    taken: the subjects that the faces of the photograph got. Such a subject does not count if its own face is nearer to
    it by the margin or more. Empty if a photograph can show a person twice.
    """
    if match is None:
        return None
    needed = scale.score(match.distance) - margin_points
    for candidate in row:
        if scale.score(candidate.distance) <= needed:
            return None
        if candidate.subject != match.subject and not _is_taken(candidate, taken, scale, margin_points):
            return candidate
    return None


def _is_taken(candidate: Candidate, taken: Distances, scale: ScoreScale, margin_points: float) -> bool:
    """Return whether another face got this subject, and is nearer to it by the margin or more."""
    owned_sq_l2 = taken.get(candidate.subject)
    if owned_sq_l2 is None:
        return False
    return scale.score(owned_sq_l2) - scale.score(candidate.distance) >= margin_points
