"""Who is this? The nearest subjects of a collection, and a threshold that rejects strangers."""

from dataclasses import dataclass

from service.decisions.inputs import Input
from service.decisions.model_comparison import compare_models
from service.decisions.probes import ProbeReader, name_input
from service.decisions.thresholds import ExpectedFpir, Wish, fpir_at, identification_threshold
from service.domain.face import Face
from service.domain.image import Notice
from service.gallery.base import Candidate
from service.model_files.card import CompatibleModel
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_collection, note_decision, note_subject
from service.observability.stages import stage
from service.pipeline.selection import all_faces


@dataclass(frozen=True, slots=True, eq=False)
class FaceIdentification:
    """The candidates of one face, nearest first. match: the accepted candidate. None if the face is unknown."""

    face: Face | None
    candidates: tuple[Candidate, ...]
    match: Candidate | None


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """All faces of the probe, in the order of the detector.

    expected: the FPIR that is expected at the threshold.
    gallery_size: how many enrolled faces were searched.
    compatible_model: the other model that made one side, usually the gallery. None if the loaded model made both sides.
    """

    faces: tuple[FaceIdentification, ...]
    threshold_sq_l2: float
    expected: ExpectedFpir
    gallery_size: int
    notices: tuple[Notice, ...]
    compatible_model: CompatibleModel | None


async def identify(probes: ProbeReader, image: Input, collection: str, k: int, wish: Wish) -> Identification:
    """Search every face of the image in the collection.

    k: the most subjects to return for one face.
    wish: None means the threshold at an FPIR of 0.01. It is lower in a larger gallery, because a stranger is compared
    with the whole gallery.
    Raises PhotographError, EmbeddingError, GalleryError, InvalidOption or RateNotMeasured.
    """
    note_collection(collection)
    probe = await name_input("image", probes.read(image, all_faces))
    with stage("search"):
        model = await probes.references_model(collection)
        comparison = compare_models(probes.card, probe.model, model)
        candidates, gallery_size = await probes.gallery.search(collection, probe.embeddings, k, model)
    threshold = identification_threshold(comparison, wish, gallery_size)
    faces = tuple(_decide(face, tuple(row), threshold) for face, row in zip(probe.faces, candidates, strict=True))
    matches = [face.match for face in faces if face.match]
    unknown = len(faces) - len(matches)
    note_decision(probes.card.id, threshold, faces=len(faces), match=len(matches), unknown=unknown)
    for match in matches:
        note_subject(collection, match.subject)
    expected = fpir_at(comparison, threshold, gallery_size)
    return Identification(faces, threshold, expected, gallery_size, probe.notices, comparison.compatible_model)


def _decide(face: Face | None, candidates: tuple[Candidate, ...], threshold_sq_l2: float) -> FaceIdentification:
    match = candidates[0] if candidates and candidates[0].distance < threshold_sq_l2 else None
    DECISIONS.labels("identify", "match" if match else "unknown").inc()
    return FaceIdentification(face, candidates, match)
