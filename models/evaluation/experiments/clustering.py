"""Clusters of different numbers of faces: how many mix people, and how well they agree with the people.

A sample is drawn from a folder of people: all photographs of one person after another, in random order, until there are
enough faces. The clusterers of the service cluster it, at the default of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from matplotlib.figure import Figure

from models.errors import DatasetError
from models.evaluation.metrics.clustering import People, bcubed, mixed_share, number_noise, pairwise
from models.evaluation.reports.report import Row, new_figure
from service.clusterers import label_faces
from service.clusterers.base import ClusteringLimits, Labels
from service.domain.embedding import Embeddings
from service.model_files.card import EmbedderCard

SEED = 20_150_612


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Which samples are drawn. sizes: how many faces a sample has. draws: how many samples there are of each size."""

    sizes: Sequence[int]
    draws: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The result of one sample. A face alone counts as a cluster.

    threshold_sq_l2: that was used. NaN if the method used none.
    mixed: the share of the clusters that hold faces of several people.
    """

    people: float
    clusters: float
    threshold_sq_l2: float
    mixed: float
    pairwise_precision: float
    pairwise_recall: float
    pairwise_f: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f: float

    @classmethod
    def of(cls, labels: Labels, people: People, threshold_sq_l2: float | None) -> "Sample":
        """Compare the clusters of a sample with the people."""
        pairs, votes = pairwise(labels, people), bcubed(labels, people)
        return cls(
            people=len(np.unique(people)),
            clusters=len(np.unique(number_noise(labels))),
            threshold_sq_l2=np.nan if threshold_sq_l2 is None else threshold_sq_l2,
            mixed=mixed_share(labels, people),
            pairwise_precision=pairs.precision,
            pairwise_recall=pairs.recall,
            pairwise_f=pairs.f,
            bcubed_precision=votes.precision,
            bcubed_recall=votes.recall,
            bcubed_f=votes.f,
        )

    @classmethod
    def mean(cls, samples: Sequence["Sample"]) -> "Sample":
        """Return the mean of each number."""
        return cls(**{one.name: float(np.mean([getattr(s, one.name) for s in samples])) for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class Point:
    """The samples of one method and one number of faces."""

    method: str
    faces: int
    samples: tuple[Sample, ...]

    def numbers(self) -> dict[str, object]:
        """Return the means, the highest share of mixed clusters and the lowest pairwise F of a sample."""
        mean = Sample.mean(self.samples)
        means = {one.name: getattr(mean, one.name) for one in fields(mean)}
        return {
            "method": self.method,
            "faces": self.faces,
            "samples": len(self.samples),
            **{name: None if np.isnan(value) else value for name, value in means.items()},
            "highest_mixed": max(sample.mixed for sample in self.samples),
            "lowest_pairwise_f": min(sample.pairwise_f for sample in self.samples),
        }


@dataclass(frozen=True, slots=True)
class ClusteringReport:
    """All points. expected_mixed: the share of mixed clusters that the card expects at most. None without one."""

    points: tuple[Point, ...]
    expected_mixed: float | None

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        header = ("method", "faces", "people", "clusters", "threshold", "mixed", "pairwise P, R, F", "BCubed P, R, F")
        return [header, *(_row(point, Sample.mean(point.samples)) for point in self.points)]

    def numbers(self) -> dict[str, object]:
        """Return the numbers of each point."""
        return {"expected_mixed": self.expected_mixed, "points": [point.numbers() for point in self.points]}

    def draw(self) -> Figure:
        """Draw the share of mixed clusters and both F against the number of faces."""
        figure = new_figure(height_in=7.0)
        above, below = figure.subplots(2, 1, sharex=True)
        for method in dict.fromkeys(point.method for point in self.points):
            means = {point.faces: Sample.mean(point.samples) for point in self.points if point.method == method}
            above.plot(list(means), [100 * one.mixed for one in means.values()], marker="o", label=method)
            (line,) = below.plot(list(means), [one.pairwise_f for one in means.values()], marker="o", label=method)
            bcubed_f = [one.bcubed_f for one in means.values()]
            below.plot(list(means), bcubed_f, marker="x", linestyle=":", color=line.get_color())
        if self.expected_mixed is not None:
            above.axhline(100 * self.expected_mixed, color="grey", linestyle="--", label="expected at most")
        above.set(ylabel="mixed clusters (%)")
        below.set(xscale="log", xlabel="faces", ylabel="F: pairwise (line), BCubed (dotted)")
        for axes in (above, below):
            axes.grid(visible=True, alpha=0.3)
        above.legend()
        return figure


def _row(point: Point, mean: Sample) -> Row:
    return (
        point.method,
        f"{point.faces:,}",
        f"{mean.people:,.0f}",
        f"{mean.clusters:,.0f}",
        "" if np.isnan(mean.threshold_sq_l2) else f"{mean.threshold_sq_l2:.3f}",
        f"{100 * mean.mixed:.2f} %",
        f"{mean.pairwise_precision:.4f}, {mean.pairwise_recall:.4f}, {mean.pairwise_f:.4f}",
        f"{mean.bcubed_precision:.4f}, {mean.bcubed_recall:.4f}, {mean.bcubed_f:.4f}",
    )


def evaluate_clustering(
    card: EmbedderCard,
    embeddings: Embeddings,
    people: People,
    methods: Sequence[str],
    plan: SamplePlan,
) -> ClusteringReport:
    """Cluster samples by each method.

    card: of the model that made the embeddings. Its default thresholds are used.
    Raises DatasetError if there are fewer faces than a sample needs. Raises InvalidOption if a method has no default.
    """
    largest = max(plan.sizes)
    if largest > len(people):
        raise DatasetError(
            f"There are {len(people):,} faces, and a sample of {largest:,} was asked for. Ask for fewer with --faces."
        )
    expected = card.clustering.mixed_share if card.clustering else None
    rng = np.random.default_rng(SEED)
    orders = [_draw_order(people, rng) for _ in range(plan.draws)]
    points = (
        Point(method, size, tuple(_measure(card, method, embeddings[o[:size]], people[o[:size]]) for o in orders))
        for method in methods
        for size in plan.sizes
    )
    return ClusteringReport(tuple(points), expected)


def _draw_order(people: People, rng: np.random.Generator) -> People:
    """Return the rows of one person after another. The people, and the rows of each, are in random order."""
    rows = rng.permutation(len(people))
    place_of_person = rng.permutation(people.max() + 1)
    return rows[np.argsort(place_of_person[people[rows]], kind="stable")]


def _measure(card: EmbedderCard, method: str, embeddings: Embeddings, people: People) -> Sample:
    """Cluster faces that are all of different photographs."""
    limits = ClusteringLimits(default_threshold=card.default_clustering_threshold(method))
    found = label_faces(method, limits, embeddings, np.arange(len(people)))
    return Sample.of(found.labels, people, found.threshold_sq_l2)
