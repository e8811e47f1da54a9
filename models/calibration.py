"""Thresholds for the card, measured on a folder of identities: PERSON/PHOTOGRAPH.

Identification: each photograph of a person is searched in a gallery of one reference of each of N other people, so
whatever it finds is a false positive; the threshold is where their rate is FPIR (ISO/IEC 19795-1). People count
equally, however many photographs they have. The gallery is drawn anew several times, and the median is taken.

Between two compatible models the probes are one's and the gallery is the other's; `cross_calibration.py` has the rest.

Clustering: the threshold with the best pairwise F over the photographs of some of the people, for each method that
takes one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.embedding import embed_files
from models.errors import DatasetError
from models.evaluation.clustering import People, pairwise_f
from models.evaluation.identities import read_people
from models.evaluation.metrics import Distances, Same, false_accept_rate, rounded_down, validation_rate
from service.card import ErrorRate, Identification
from service.clusterers import build
from service.clusterers.base import Clusterer, Grouping
from service.distances import squared_l2
from service.domain import Embeddings
from service.pipeline import PipelineOptions

SEED = 20_150_612
DRAWS = 21
PROBES_PER_PERSON = 4
CLUSTERED_PEOPLE = 350
CLUSTERED_PER_PERSON = 10
METHODS = ("agglomerative", "dbscan")
"""Those that take a threshold."""
CLUSTERING_GRID = np.arange(0.40, 1.61, 0.02)


@dataclass(frozen=True, slots=True)
class Sample:
    """Photographs of people: file i shows person `people[i]`. Each person's come in an order of their own draw."""

    files: tuple[Path, ...]
    people: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Embeddings (n, d) and whose they are, (n,) int64. left_out: photographs in which no face was found."""

    embeddings: Embeddings
    people: People
    left_out: int

    def first(self, count: int, people: People) -> "Faces":
        """At most `count` faces of each of these people."""
        kept = [np.flatnonzero(self.people == person)[:count] for person in people]
        rows = np.concatenate(kept)
        return Faces(self.embeddings[rows], self.people[rows], 0)


def draw_sample(folder: Path, only: Path | None = None) -> Sample:
    """Some photographs of every person: more of those who are drawn for clustering, who come first.

    only, raises: as `read_identities`.
    """
    rng = np.random.default_rng(SEED)
    people = read_people(folder, only)
    files: list[Path] = []
    numbers: list[int] = []
    for number, person in enumerate(rng.permutation(np.array([*people], object))):
        photographs = people[person]
        wanted = CLUSTERED_PER_PERSON if number < CLUSTERED_PEOPLE else PROBES_PER_PERSON
        drawn = rng.permutation(len(photographs))[:wanted]
        files += [photographs[one] for one in drawn]
        numbers += [number] * len(drawn)
    return Sample(tuple(files), tuple(numbers))


def embed_sample(options: PipelineOptions, sample: Sample, done: Callable[[], object]) -> Faces:
    """Through the pipeline that serves. `done` is called after each photograph."""
    embeddings, rows = embed_files(options, sample.files, done)
    return Faces(embeddings, np.array(sample.people, np.int64)[rows], len(sample.files) - len(rows))


def require_people(people: People | Sequence[int], references: int) -> None:
    """people: whom each photograph shows. Raises DatasetError where there are not more of them than references."""
    count = len(np.unique(people))
    if count <= references:
        fewer = f"Pass --references {count - 1} or fewer, or give" if count > 1 else "Give"
        raise DatasetError(
            f"{references} references need more people than that; there are {count}. {fewer} more people."
        )


def identification_threshold(
    probes: Faces, gallery: Faces, references: int, fpir: float, rng: np.random.Generator
) -> float:
    """The squared L2 distance at which a stranger is called somebody at the rate `fpir`, with so many references.

    probes, gallery: the same photographs row by row, embedded by one model, or by two that are compatible. Raises
    DatasetError as `require_people` does.
    """
    require_people(probes.people, references)
    people = np.unique(probes.people)
    searched, enrolled = (faces.first(PROBES_PER_PERSON, people) for faces in (probes, gallery))
    draws = [_draw_threshold(searched, enrolled.embeddings, references, fpir, rng) for _ in range(DRAWS)]
    return float(np.median(draws))


def _draw_threshold(
    probes: Faces, enrolled: Embeddings, references: int, fpir: float, rng: np.random.Generator
) -> float:
    """One gallery: a random face of each person, the people in random order; each probe meets the first N others."""
    order = rng.permutation(len(probes.people))
    _, first = np.unique(probes.people[order], return_index=True)
    gallery = rng.permutation(order[first])[: references + 1]
    distances = squared_l2(probes.embeddings, enrolled[gallery])
    own = probes.people[:, None] == probes.people[gallery]
    distances[own] = np.inf
    distances[~own.any(axis=1), -1] = np.inf  # whose person is not among the first N + 1 meets N of them, like all
    nearest = distances.min(axis=1)
    counts = np.bincount(probes.people)
    return weighted_quantile(nearest, 1.0 / counts[probes.people], fpir)


def weighted_quantile(values: NDArray[np.float32], weights: NDArray[np.float64], share: float) -> float:
    """The smallest value at or below which lies more than `share` of the weight."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, share * below[-1], side="right")])


def every_pair(probes: Faces, gallery: Faces) -> tuple[Distances, Same]:
    """The distance of each photograph among the probes to each other one in the gallery, and which are one person's.

    probes, gallery: as for `identification_threshold`. Of each person some photographs are taken, so that nobody
    outweighs the others. Returns (n * (n - 1),) float32 and bool: each pair of photographs both ways.
    """
    people = np.unique(probes.people)
    searched, enrolled = (faces.first(PROBES_PER_PERSON, people) for faces in (probes, gallery))
    distances = squared_l2(searched.embeddings, enrolled.embeddings)
    others = ~np.eye(len(distances), dtype=bool)
    return distances[others], (searched.people[:, None] == searched.people)[others]


def error_rate(probes: Faces, gallery: Faces, threshold_sq_l2: float, measured_on: str) -> ErrorRate:
    """FMR and FNMR for the card, over every pair of photographs. probes, gallery: as for `every_pair`."""
    distances, same = every_pair(probes, gallery)
    return ErrorRate(
        threshold_sq_l2=threshold_sq_l2,
        fmr=false_accept_rate(distances, same, threshold_sq_l2),
        fnmr=1 - validation_rate(distances, same, threshold_sq_l2),
        impostor_pairs=int(np.count_nonzero(~same)) // 2,
        genuine_pairs=int(np.count_nonzero(same)) // 2,
        measured_on=measured_on,
    )


@dataclass(frozen=True, slots=True)
class BestThreshold:
    """The threshold with the best pairwise F, and that F."""

    threshold_sq_l2: float
    f: float


def clustering_threshold(faces: Faces, clusterer: Callable[[Grouping], Clusterer]) -> BestThreshold:
    """Over a grid. faces: of the people who are drawn for clustering. Each is from a photograph of its own."""
    photographs = np.arange(len(faces.people))

    def measured(d: float) -> BestThreshold:
        labels = clusterer(Grouping(threshold_sq_l2=d)).cluster(faces.embeddings, photographs)
        return BestThreshold(d, pairwise_f(labels, faces.people))

    return max((measured(round(float(d), 2)) for d in CLUSTERING_GRID), key=lambda one: one.f)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured on `photographs` of `people`, `left_out` of them without a face. clustering: by method."""

    photographs: int
    people: int
    left_out: int
    identification: Identification
    clustering: dict[str, BestThreshold]

    def toml(self, name: str) -> str:
        """The card's table of thresholds in `zoo.toml`; what else is worth knowing as comments."""
        one = self.identification
        found = ", ".join(f"{method} {best.f:.4f}" for method, best in self.clustering.items())
        chosen = ", ".join(f"{method} = {best.threshold_sq_l2:.2f}" for method, best in self.clustering.items())
        return (
            f"# {self.photographs} photographs, {self.left_out} without a face; {self.people} people with one\n"
            f"# pairwise F: {found}\n"
            f"[models.{name}.thresholds]\n"
            f"identification = {{ threshold_sq_l2 = {one.threshold_sq_l2:.3f}, fpir = {one.fpir:g}, "
            f"references = {one.references} }}\n"
            f"clustering = {{ {chosen} }}"
        )


def calibrate(faces: Faces, references: int, fpir: float) -> Calibration:
    """Identification on all the faces, clustering on those of the people who come first.

    Raises DatasetError as `require_people` does, and where photographs stand under several names.
    """
    found = identification_threshold(faces, faces, references, fpir, np.random.default_rng(SEED))
    threshold = rounded_down(found)
    if threshold <= 0:
        raise DatasetError(
            f"More than {fpir:g} of the searches find the very same photograph under another name. Remove duplicates."
        )
    clustered = faces.first(CLUSTERED_PER_PERSON, np.arange(CLUSTERED_PEOPLE))
    return Calibration(
        photographs=len(faces.people) + faces.left_out,
        people=len(np.unique(faces.people)),
        left_out=faces.left_out,
        identification=Identification(threshold_sq_l2=threshold, fpir=fpir, references=references),
        clustering={method: clustering_threshold(clustered, partial(build, method)) for method in METHODS},
    )
