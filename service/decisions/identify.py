"""Who is this? The nearest subjects of a collection, and a threshold that rejects strangers."""

from dataclasses import dataclass

from service.decisions.assignment import Assignment, assign_nearest, assign_once
from service.decisions.collection_calibration import choose_calibration
from service.decisions.inputs import Input
from service.decisions.model_comparison import compare_models
from service.decisions.probes import Probe, ProbeReader, name_input
from service.decisions.thresholds import ExpectedFpir, Wish, fpir_at, identification_threshold
from service.domain.face import Face
from service.domain.image import Notice
from service.gallery.base import Candidate
from service.model_files.calibration import CalibrationSource
from service.model_files.card import CompatibleModel
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_collection, note_decision, note_subject
from service.observability.stages import stage
from service.pipeline.selection import all_faces


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to search, and how.

    k: the most candidates to return for one face.
    one_person_once: whether a photograph shows each person once. A collage can show a person several times.
    calibration: which one to use. None: what the collection is set to.
    """

    collection: str
    k: int
    one_person_once: bool
    calibration: CalibrationSource | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FaceIdentification:
    """The result for one face.

    candidates: nearest first.
    assignment: the accepted candidate. It can be one that is not among the candidates, if other faces got these.
    """

    face: Face | None
    candidates: tuple[Candidate, ...]
    assignment: Assignment


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """All faces of the probe, in the order of the detector.

    expected: the FPIR that is expected at the threshold.
    calibration: whose rates were used.
    gallery_size: how many enrolled faces were searched.
    compatible_model: the other model that made one side, usually the gallery. None if the loaded model made both sides.
    """

    faces: tuple[FaceIdentification, ...]
    threshold_sq_l2: float
    expected: ExpectedFpir
    calibration: CalibrationSource
    gallery_size: int
    notices: tuple[Notice, ...]
    compatible_model: CompatibleModel | None


async def identify(probes: ProbeReader, image: Input, search: SearchOptions, wish: Wish) -> Identification:
    """Search every face of the image in the collection.

    wish: None means the threshold at an FPIR of 0.01. It is lower in a larger gallery, because a stranger is compared
    with the whole gallery.
    Raises PhotographError, EmbeddingError, GalleryError, InvalidOption or RateNotMeasured.
    """
    note_collection(search.collection)
    probe = await name_input("image", probes.read(image, all_faces))
    with stage("search"):
        model = await probes.references_model(search.collection)
        compared = compare_models(probes.card, probe.model, model)
        chosen = await choose_calibration(probes, compared, search.collection, search.calibration)
        comparison = chosen.comparison
        k = max(search.k, len(probe.embeddings)) if _shows_once(probe, search) else search.k
        rows, gallery_size = await probes.gallery.search(search.collection, probe.embeddings, k, model)
    threshold = identification_threshold(comparison, wish, gallery_size)
    assign = assign_once if _shows_once(probe, search) else assign_nearest
    assignments = assign(rows, threshold)
    _note(probes.card.id, search.collection, threshold, assignments)
    faces = tuple(
        FaceIdentification(face, tuple(row[: search.k]), assignment)
        for face, row, assignment in zip(probe.faces, rows, assignments, strict=True)
    )
    expected = fpir_at(comparison, threshold, gallery_size)
    return Identification(
        faces, threshold, expected, chosen.source, gallery_size, probe.notices, comparison.compatible_model
    )


def _shows_once(probe: Probe, search: SearchOptions) -> bool:
    """Return whether no two rows show one person. The embeddings of an enrolled subject all show that subject."""
    return search.one_person_once and probe.faces_found is not None


def _note(model: str, collection: str, threshold_sq_l2: float, assignments: list[Assignment]) -> None:
    matches = [one.match for one in assignments if one.match]
    unknown = len(assignments) - len(matches)
    note_decision(model, threshold_sq_l2, faces=len(assignments), match=len(matches), unknown=unknown)
    DECISIONS.labels("identify", "match").inc(len(matches))
    DECISIONS.labels("identify", "unknown").inc(unknown)
    for match in matches:
        note_subject(collection, match.subject)
