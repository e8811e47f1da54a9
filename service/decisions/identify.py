"""Who is this? Nearest neighbours in a collection, one line a subject, and a threshold for strangers."""

from dataclasses import dataclass

from anyio import to_thread

from service.card import Compatible
from service.decisions.comparison import Comparison, compare
from service.decisions.inputs import Input, Inputs, Probe, at
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
    """Every face of the probe, in the detector's order; gallery_size counts the enrolled faces that were searched.

    other: the compatible model that made one side, mostly the gallery; None where the loaded model made both.
    """

    faces: tuple[Identified, ...]
    threshold_sq_l2: float
    gallery_size: int
    notices: tuple[Notice, ...]
    other: Compatible | None


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """candidates: one list a face of the probe."""

    candidates: list[list[Candidate]]
    gallery_size: int
    comparison: Comparison


async def identify(
    inputs: Inputs, image: Input, collection: str, k: int, threshold_sq_l2: float | None
) -> Identification:
    """Searches every face of the image. k: subjects a face, at most.

    threshold_sq_l2: None takes the card's for identification, which is stricter than the one of verification: a
    stranger is compared with the whole gallery. Raises PhotographError, EmbeddingError, GalleryError or InvalidOption.
    """
    probe = await at("image", inputs.probe(image, every_face))
    with stage("search"):
        found = await to_thread.run_sync(_search, inputs, probe, collection, k, limiter=inputs.gallery_threads)
    threshold = _default_threshold(found.comparison) if threshold_sq_l2 is None else threshold_sq_l2
    faces = tuple(
        _decide(face, tuple(candidates), threshold)
        for face, candidates in zip(probe.faces, found.candidates, strict=True)
    )
    return Identification(faces, threshold, found.gallery_size, probe.notices, found.comparison.other)


def _search(inputs: Inputs, probe: Probe, collection: str, k: int) -> _Found:
    references = inputs.references(collection)
    comparison = compare(inputs.card, probe.model, references)
    candidates, gallery_size = inputs.gallery.search(collection, probe.embeddings, k, references)
    return _Found(candidates, gallery_size, comparison)


def _decide(face: Face | None, candidates: tuple[Candidate, ...], threshold_sq_l2: float) -> Identified:
    match = candidates[0] if candidates and candidates[0].distance < threshold_sq_l2 else None
    DECISIONS.labels("identify", "match" if match else "unknown").inc()
    return Identified(face, candidates, match)


def _default_threshold(comparison: Comparison) -> float:
    measured = comparison.thresholds.identification
    if measured is None:
        raise InvalidOption(
            "This model's card has no threshold for identification in this collection. Pass one, for instance "
            "?threshold=1.0, or measure it with facenet-models."
        )
    return measured.threshold_sq_l2
