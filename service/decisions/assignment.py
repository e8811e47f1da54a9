"""Which face of a photograph gets which subject, if a photograph shows each person once.

The nearest pair of a face and a subject is accepted first, then the nearest pair of the others, and so on. So a face
keeps its nearest subject, unless another face of the photograph is nearer to that subject. It then gets the nearest
subject that is left below the threshold. If there is none, it is unknown.

The least sum of distances (`scipy.optimize.linear_sum_assignment`) does not have this property: it takes the subject
away from the nearest face if another face would otherwise be unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.gallery.search_values import Candidate

CandidateRows = Sequence[Sequence[Candidate]]
"""The candidates of each face, nearest first."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one face gets.

    match: the accepted candidate. None if the face is unknown.
    lost_to: the row of the face that got this face's nearest subject, because it is nearer to that subject. None if no
    face did.
    """

    match: Candidate | None
    lost_to: int | None = None


def assign_nearest(rows: CandidateRows, threshold_sq_l2: float) -> list[Assignment]:
    """Give each face its nearest subject below the threshold. Several faces can get the same subject."""
    return [Assignment(row[0] if row and row[0].distance < threshold_sq_l2 else None) for row in rows]


def assign_once(rows: CandidateRows, threshold_sq_l2: float) -> list[Assignment]:
    """Give each face a subject below the threshold, and no subject to two faces. The nearest pairs come first.

    rows: for n faces, each row has the n nearest subjects, or all that there are. The other faces can take n - 1.
    """
    pairs = [
        (candidate.distance, row, candidate)
        for row, candidates in enumerate(rows)
        for candidate in candidates
        if candidate.distance < threshold_sq_l2
    ]
    matches: dict[int, Candidate] = {}
    owners: dict[str, int] = {}
    for _, row, candidate in sorted(pairs, key=lambda pair: pair[:2]):
        if row not in matches and candidate.subject not in owners:
            matches[row], owners[candidate.subject] = candidate, row
    nearest = assign_nearest(rows, threshold_sq_l2)
    taken_by = [owners[one.match.subject] if one.match else row for row, one in enumerate(nearest)]
    return [Assignment(matches.get(row), None if owner == row else owner) for row, owner in enumerate(taken_by)]
