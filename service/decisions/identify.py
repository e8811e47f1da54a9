"""Who is this? Nearest neighbours in a collection, one line a subject, and a threshold for strangers."""

from dataclasses import dataclass

from anyio import to_thread

from service.decisions.inputs import Input, Inputs, at
from service.domain import Face, Notice
from service.errors import InvalidOption
from service.galleries.base import Candidate
from service.observability.metrics import DECISIONS
from service.observability.stages import stage
from service.pipeline import every_face


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """One face of the probe: its candidates, nearest first, and the one that it is taken for (None: unknown)."""

    face: Face | None
    candidates: tuple[Candidate, ...]
    match: Candidate | None


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Every face of the probe, in the detector's order; gallery_size counts the enrolled faces that were searched."""

    faces: tuple[Identified, ...]
    threshold_sq_l2: float
    gallery_size: int
    notices: tuple[Notice, ...]


async def identify(
    inputs: Inputs, image: Input, collection: str, k: int, threshold_sq_l2: float | None
) -> Identification:
    """Searches every face of the image. k: subjects a face, at most.

    threshold_sq_l2: None takes the model's own for identification, which is stricter than the one of verification: a
    stranger is compared with the whole gallery. Raises PhotographError, EmbeddingError, GalleryError or InvalidOption.
    """
    threshold = _default_threshold(inputs) if threshold_sq_l2 is None else threshold_sq_l2
    probe = await at("image", inputs.probe(image, every_face))
    with stage("search"):
        found, gallery_size = await to_thread.run_sync(
            inputs.gallery.search, collection, probe.embeddings, k, inputs.model, limiter=inputs.gallery_threads
        )
    faces = tuple(
        _decide(face, tuple(candidates), threshold) for face, candidates in zip(probe.faces, found, strict=True)
    )
    return Identification(faces, threshold, gallery_size, probe.notices)


def _decide(face: Face | None, candidates: tuple[Candidate, ...], threshold_sq_l2: float) -> Identified:
    match = candidates[0] if candidates and candidates[0].distance < threshold_sq_l2 else None
    DECISIONS.labels("identify", "match" if match else "unknown").inc()
    return Identified(face, candidates, match)


def _default_threshold(inputs: Inputs) -> float:
    measured = inputs.pipeline.card.thresholds.identification
    if measured is None:
        raise InvalidOption(
            "This model's card has no threshold for identification. Pass one, for instance ?threshold=1.0, "
            "or measure it with facenet-models calibrate."
        )
    return measured.threshold_sq_l2
