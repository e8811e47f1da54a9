"""Who is this? The nearest subjects of a collection, and a threshold that rejects strangers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from service.decisions.ambiguity import distances_of_matches, find_second, margin_in_force
from service.decisions.assignment import Assignment, assign_nearest, assign_once
from service.decisions.error_rates.collection_calibration import choose_calibration
from service.decisions.error_rates.score import ScoreScale
from service.decisions.error_rates.thresholds import ExpectedFpir, RequestedThreshold, fpir_at, identification_threshold
from service.decisions.inputs import Input
from service.decisions.model_comparison import compare_models
from service.decisions.probes import Probe, ProbeReader, name_input
from service.domain.face import Face
from service.domain.image import Notice
from service.gallery.search_values import Candidate
from service.model_files.calibration import CalibrationSource
from service.model_files.card import CompatibleModel
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_collection, note_decision, note_subject
from service.observability.stages import stage
from service.pipeline.selection import all_faces

Decision = Literal["match", "ambiguous", "unknown"]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to search, and how.

    k: the most candidates to return for one face.
    one_person_once: whether a photograph shows each person once. A collage can show a person several times.
    margin_points: how many points of score a match must have more than any other subject. None means the default.
    calibration: which one to use. None: what the collection is set to.
    """

    collection: str
    k: int
    one_person_once: bool
    margin_points: float | None = None
    calibration: CalibrationSource | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FaceIdentification:
    """The result for one face.

    candidates: nearest first.
    assignment: the accepted candidate. It can be one that is not among the candidates, if other faces got these.
    second: another subject that is nearly as near. Then it is not known which of the two the face shows.
    """

    face: Face | None
    candidates: tuple[Candidate, ...]
    assignment: Assignment
    second: Candidate | None

    @property
    def decision(self) -> Decision:
        if self.second:
            return "ambiguous"
        return "match" if self.assignment.match else "unknown"

    @property
    def match(self) -> Candidate | None:
        """The subject that the face shows. None if it is unknown or ambiguous."""
        return None if self.second else self.assignment.match

    @property
    def between(self) -> tuple[Candidate, ...]:
        """The two subjects of an ambiguous face, nearest first."""
        pair = [one for one in (self.assignment.match, self.second) if one and self.second]
        return tuple(sorted(pair, key=lambda one: one.distance))


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """All faces of the probe, in the order of the detector.

    scale: the scores of the distances. It holds the threshold.
    margin_points: the margin in force.
    expected: the FPIR that is expected at the threshold.
    calibration: whose rates were used.
    gallery_size: how many enrolled faces were searched.
    compatible_model: the other model that made one side, usually the gallery. None if the loaded model made both sides.
    """

    faces: tuple[FaceIdentification, ...]
    scale: ScoreScale
    margin_points: float
    expected: ExpectedFpir
    calibration: CalibrationSource
    gallery_size: int
    notices: tuple[Notice, ...]
    compatible_model: CompatibleModel | None


async def identify(
    probes: ProbeReader, image: Input, search: SearchOptions, requested: RequestedThreshold
) -> Identification:
    """Search every face of the image in the collection.

    requested: None means the threshold at an FPIR of 0.01. It is lower in a larger gallery, because a stranger is
    compared with the whole gallery.
    Raises PhotographError, EmbeddingError, GalleryError, InvalidOption or RateNotMeasured.
    """
    note_collection(search.collection)
    probe = await name_input("image", probes.read(image, all_faces))
    shows_once = _shows_once(probe, search)
    with stage("search"):
        model = await probes.references_model(search.collection)
        compared = compare_models(probes.card, probe.model, model)
        chosen = await choose_calibration(probes, compared, search.collection, search.calibration)
        comparison = chosen.comparison
        k = max(search.k, 1 + (len(probe.embeddings) if shows_once else 1))
        rows, gallery_size = await probes.gallery.search(search.collection, probe.embeddings, k, model)
    scale = ScoreScale(identification_threshold(comparison, requested, gallery_size), comparison.calibration)
    margin = margin_in_force(search.margin_points, scale)
    assignments = (assign_once if shows_once else assign_nearest)(rows, scale.threshold_sq_l2)
    taken = distances_of_matches(assignments) if shows_once else {}
    faces = tuple(
        FaceIdentification(face, tuple(row[: search.k]), one, find_second(row, one.match, taken, scale, margin))
        for face, row, one in zip(probe.faces, rows, assignments, strict=True)
    )
    _note(probes.card.id, search.collection, scale.threshold_sq_l2, faces)
    expected = fpir_at(comparison, scale.threshold_sq_l2, gallery_size)
    return Identification(
        faces,
        scale,
        margin,
        expected,
        chosen.source,
        gallery_size,
        probe.notices,
        comparison.compatible_model,
    )


def _shows_once(probe: Probe, search: SearchOptions) -> bool:
    """Return whether no two rows show one person. The embeddings of an enrolled subject all show that subject."""
    return search.one_person_once and probe.faces_found is not None


def _note(model: str, collection: str, threshold_sq_l2: float, faces: Sequence[FaceIdentification]) -> None:
    """Note the outcome. An ambiguous face is about both subjects, because the answer names both."""
    counts = dict.fromkeys(get_args(Decision), 0) | Counter(face.decision for face in faces)
    note_decision(model, threshold_sq_l2, faces=len(faces), **counts)
    for decision, count in counts.items():
        DECISIONS.labels("identify", decision).inc(count)
    for face in faces:
        for named in face.between or filter(None, [face.match]):
            note_subject(collection, named.subject)
