"""The thresholds of clustering. They depend on how many people are clustered. They are a table in the card.

k people have k (k - 1) / 2 pairs, so the more people there are, the more pairs of two people are near each other. At
the false match rate f, about f (k - 1) / 2 of k clusters hold two people. So the threshold for k people is the distance
at which f is `2 share / (k - 1)`, where `share` is the share of mixed clusters that is accepted.
"""

from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator


class ClusteringThresholds(BaseModel):
    """Squared L2 distances, by the number of people.

    mixed_share: the share of clusters that may hold faces of two people.
    people: numbers of people, ascending.
    thresholds_sq_l2: the threshold for each, descending.
    measured_on: the data, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mixed_share: float = Field(gt=0, lt=1)
    people: tuple[int, ...] = Field(min_length=2)
    thresholds_sq_l2: tuple[Annotated[float, Field(ge=0, le=4)], ...]
    measured_on: str

    @model_validator(mode="after")
    def _thresholds_fall(self) -> Self:
        if len(self.people) != len(self.thresholds_sq_l2) or self.people[0] < 2:
            raise ValueError("clustering needs one threshold for each number of people, from 2 people on")
        if any(few >= many for few, many in pairwise(self.people)):
            raise ValueError("clustering.people must be ascending")
        if any(of_few < of_many for of_few, of_many in pairwise(self.thresholds_sq_l2)):
            raise ValueError("clustering.thresholds_sq_l2 must be descending")
        return self

    def at(self, people: ArrayLike) -> NDArray[np.float64]:
        """Return the threshold for each number of people. people: of any shape, greater than 0.

        Between two numbers of the table, it is interpolated over the logarithm. Beyond the last number, the line
        through the last two is continued. Below the first number, the first threshold is used.
        """
        counts, table = np.log(people), np.log(self.people)
        slope = (self.thresholds_sq_l2[-1] - self.thresholds_sq_l2[-2]) / (table[-1] - table[-2])
        beyond = np.maximum(counts - table[-1], 0.0)
        thresholds: NDArray[np.float64] = np.interp(counts, table, self.thresholds_sq_l2) + slope * beyond
        return np.maximum(thresholds, 0.0)
