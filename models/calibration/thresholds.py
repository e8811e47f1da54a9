"""The thresholds of one model, measured on a folder of people: PERSON/PHOTOGRAPH. `facenet-models calibrate` runs this.

Identification: each photograph is a probe. It is searched in a gallery with one reference of each of N other people. So
every match is a false positive. The result is the threshold at which the rate of false positives is the requested FPIR
(ISO/IEC 19795-1). All people have the same weight, no matter how many photographs they have. The gallery is drawn
several times, and the median of the thresholds is taken.

`between_models.py` uses the same functions for two compatible models: one model embeds the probes, the other the
gallery.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetError
from models.evaluation.data.identities import read_people
from models.evaluation.embedding.files import embed_files
from models.evaluation.metrics.clustering import People
from models.evaluation.metrics.labelled_pairs import LabelledPairs, round_down
from service.domain.distances import squared_l2
from service.domain.embedding import Embeddings
from service.model_files.card import ErrorRate, IdentificationThreshold
from service.model_files.error_rates import COMPARED_PER_PERSON
from service.pipeline.opening import PipelineOptions

SEED = 20_150_612
GALLERY_DRAWS = 21
"""How many galleries are drawn. The median of their thresholds is taken."""

PROBES_PER_PERSON = 4


@dataclass(frozen=True, slots=True)
class PhotographSample:
    """Photographs of people: file i shows person `people[i]`. The files of a person are in random order."""

    files: tuple[Path, ...]
    people: tuple[int, ...]

    def name(self, person: int) -> str:
        """Return the name of a person: of the folder."""
        return self.files[self.people.index(person)].parent.name


@dataclass(frozen=True, slots=True, eq=False)
class LabelledEmbeddings:
    """Embeddings and the person that each shows, row by row.

    embeddings: (n, d) float32.
    people: (n,) int64, the numbers of the people.
    left_out: how many photographs were left out because no face was found in them.
    """

    embeddings: Embeddings
    people: People
    left_out: int

    def take_first(self, count: int, people: People) -> "LabelledEmbeddings":
        """Return the first `count` rows of each of these people, or all rows of a person who has fewer."""
        rows = np.concatenate([np.flatnonzero(self.people == person)[:count] for person in people])
        return LabelledEmbeddings(self.embeddings[rows], self.people[rows], 0)


def draw_sample(folder: Path, only: Path | None = None) -> PhotographSample:
    """Draw photographs of every person.

    only: a file with one name on each line. All other people are left out. None takes all people.
    Raises DatasetError if the folder or the file cannot be used.
    """
    rng = np.random.default_rng(SEED)
    photographs_by_person = read_people(folder, only)
    files: list[Path] = []
    people: list[int] = []
    for number, name in enumerate(rng.permutation(np.array([*photographs_by_person], object))):
        photographs = photographs_by_person[name]
        drawn = rng.permutation(len(photographs))[:COMPARED_PER_PERSON]
        files += [photographs[place] for place in drawn]
        people += [number] * len(drawn)
    return PhotographSample(tuple(files), tuple(people))


def embed_sample(options: PipelineOptions, sample: PhotographSample, done: Callable[[], object]) -> LabelledEmbeddings:
    """Embed the photographs with the pipeline of the service. `done` is called after each photograph."""
    embeddings, rows = embed_files(options, sample.files, done)
    return LabelledEmbeddings(embeddings, np.array(sample.people, np.int64)[rows], len(sample.files) - len(rows))


def require_enough_people(people: People | Sequence[int], references: int) -> None:
    """Raise DatasetError if there are not more people than references.

    people: the number of the person on each photograph.
    """
    count = len(np.unique(people))
    if count <= references:
        fewer = f"Pass --references {count - 1} or fewer, or give" if count > 1 else "Give"
        raise DatasetError(
            f"{references} references need more than {references} people; there are {count}. {fewer} more people."
        )


def find_identification_threshold(
    probes: LabelledEmbeddings, gallery: LabelledEmbeddings, references: int, fpir: float, rng: np.random.Generator
) -> float:
    """Return the threshold, squared L2, at which the share `fpir` of the people who are not enrolled gets a match.

    probes, gallery: the same photographs, row by row. They are embedded by one model, or by two compatible models.
    references: how many people are enrolled, with one reference each.
    Raises DatasetError if there are not more people than references.
    """
    require_enough_people(probes.people, references)
    people = np.unique(probes.people)
    searched, enrolled = (faces.take_first(PROBES_PER_PERSON, people) for faces in (probes, gallery))
    thresholds = [
        _threshold_of_drawn_gallery(searched, enrolled.embeddings, references, fpir, rng) for _ in range(GALLERY_DRAWS)
    ]
    return float(np.median(thresholds))


def _threshold_of_drawn_gallery(
    probes: LabelledEmbeddings, enrolled: Embeddings, references: int, fpir: float, rng: np.random.Generator
) -> float:
    """Return the threshold for one drawn gallery of N + 1 people, where N is `references`.

    The gallery has one reference of each person. Each probe is compared with N references of other people.
    """
    order = rng.permutation(len(probes.people))
    _, first = np.unique(probes.people[order], return_index=True)
    gallery = rng.permutation(order[first])[: references + 1]
    distances = squared_l2(probes.embeddings, enrolled[gallery])
    own = probes.people[:, None] == probes.people[gallery]
    distances[own] = np.inf
    # If the person of a probe was not drawn, the gallery has N + 1 references of other people. The last is left out.
    distances[~own.any(axis=1), -1] = np.inf
    nearest = distances.min(axis=1)
    photographs_of_person = np.bincount(probes.people)[probes.people]
    return weighted_quantile(nearest, 1.0 / photographs_of_person, fpir)


def weighted_quantile(values: NDArray[np.float32], weights: NDArray[np.float64], share: float) -> float:
    """Return the smallest value v for which the values <= v have more than `share` of the total weight."""
    order = np.argsort(values)
    cumulative_weight = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative_weight, share * cumulative_weight[-1], side="right")])


def cross_pairs(probes: LabelledEmbeddings, gallery: LabelledEmbeddings) -> LabelledPairs:
    """Return the pairs of each photograph, as a probe, with each other photograph, as a reference.

    At most PROBES_PER_PERSON photographs of each person are used. So no person has much more weight than the others.

    probes, gallery: as for `find_identification_threshold`.
    Returns n * (n - 1) pairs. Each pair of photographs occurs twice: between two models, the distance depends on which
    photograph is the probe.
    """
    people = np.unique(probes.people)
    searched, enrolled = (faces.take_first(PROBES_PER_PERSON, people) for faces in (probes, gallery))
    distances = squared_l2(searched.embeddings, enrolled.embeddings)
    of_two_photographs = ~np.eye(len(distances), dtype=bool)
    same = searched.people[:, None] == searched.people
    return LabelledPairs(distances[of_two_photographs], same[of_two_photographs])


def cross_error_rate(
    probes: LabelledEmbeddings, gallery: LabelledEmbeddings, threshold_sq_l2: float, measured_on: str
) -> ErrorRate:
    """Return FMR and FNMR over `cross_pairs`, for the card. The two directions of a pair count as one pair."""
    rate = cross_pairs(probes, gallery).error_rate(threshold_sq_l2, measured_on)
    return rate.model_copy(update={"non_mated_pairs": rate.non_mated_pairs // 2, "mated_pairs": rate.mated_pairs // 2})


@dataclass(frozen=True, slots=True)
class MeasuredThresholds:
    """The measured threshold of identification, and what it was measured on.

    photographs: how many were searched for a face.
    people: how many people have a photograph with a face.
    left_out: how many photographs have no face.
    """

    photographs: int
    people: int
    left_out: int
    identification: IdentificationThreshold

    def to_toml(self, name: str) -> str:
        """Return the table of thresholds of the card of model `name`, as `catalogue.toml` has it.

        The numbers of photographs and people are comments.
        """
        identification = self.identification
        return (
            f"# {self.photographs} photographs, {self.left_out} without a face; {self.people} people with one\n"
            f"[models.{name}.thresholds]\n"
            f"identification = {{ threshold_sq_l2 = {identification.threshold_sq_l2:.3f}, "
            f"fpir = {identification.fpir:g}, references = {identification.references} }}"
        )


def calibrate(faces: LabelledEmbeddings, references: int, fpir: float) -> MeasuredThresholds:
    """Measure the threshold of identification.

    faces: the embeddings of `draw_sample`.
    references, fpir: as for `find_identification_threshold`.
    Raises DatasetError if there are not more people than references, or if too many photographs are in the folders of
    several people.
    """
    exact = find_identification_threshold(faces, faces, references, fpir, np.random.default_rng(SEED))
    threshold = round_down(exact)
    if threshold <= 0:
        raise DatasetError(
            f"More than {100 * fpir:g} % of the searches find the same photograph under the name of another person. "
            "Remove duplicates."
        )
    return MeasuredThresholds(
        photographs=len(faces.people) + faces.left_out,
        people=len(np.unique(faces.people)),
        left_out=faces.left_out,
        identification=IdentificationThreshold(threshold_sq_l2=threshold, fpir=fpir, references=references),
    )
