"""Enrol the photographs of a subject: all of one request in one transaction."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from service.decisions.inputs import FaceInput, Input, PhotographInput, SubjectInput
from service.decisions.probes import Probe, ProbeReader, gather_in_order
from service.domain.embedding import embedding_sha256
from service.domain.errors import (
    CollectionNotFound,
    CropNotFound,
    FacenetError,
    FaceNotFound,
    InvalidOption,
    LowQuality,
    NoFace,
    StorageUnavailable,
    Unavailable,
)
from service.domain.face import KeptCrop
from service.gallery.base import EnrolmentOutcome, FaceToEnrol
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_decision
from service.observability.stages import stage
from service.pipeline.selection import SelectFaces, main_face, only_face

ON_SEVERAL: dict[str, SelectFaces] = {"refuse": only_face, "main": main_face}
"""What to do with a photograph of several people, by the name of the API's option."""


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """Which photographs are enrolled.

    select: selects the face of a photograph.
    min_quality: the least quality score of a face. None means the minimum of the card.
    """

    select: SelectFaces
    min_quality: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ImageEnrolment:
    """The outcome for one image.

    probe: None if no face could be used.
    outcome: what the gallery did, or the error for which the image was refused.
    """

    probe: Probe | None
    outcome: EnrolmentOutcome | FacenetError


async def enrol(
    probes: ProbeReader, collection: str, subject: str, images: Sequence[Input], rules: EnrolmentRules
) -> list[ImageEnrolment]:
    """Enrol one face of each image, and return after the commit.

    If an image is refused, the others are still enrolled.
    Raises GalleryError, InvalidOption or Unavailable, and then nothing was stored.
    """
    _require_quality_weights(probes, rules)
    await probes.gallery.check_enrolment(collection, subject, probes.loaded_model)
    read = await gather_in_order(_read_or_refuse(probes, image, rules) for image in images)
    new = [face for _, face in read if isinstance(face, FaceToEnrol)]
    with stage("store"):
        stored = await probes.gallery.enrol(collection, subject, new, probes.loaded_model) if new else []
    outcomes = iter(stored)
    enrolments = [
        ImageEnrolment(probe, next(outcomes) if isinstance(face, FaceToEnrol) else face) for probe, face in read
    ]
    _count_outcomes(probes, enrolments)
    return enrolments


def _count_outcomes(probes: ProbeReader, enrolments: Sequence[ImageEnrolment]) -> None:
    counts: Counter[str] = Counter()
    for enrolment in enrolments:
        outcome = enrolment.outcome
        counts["refused" if isinstance(outcome, FacenetError) else outcome.status] += 1
    for status, count in counts.items():
        DECISIONS.labels("enrol", status).inc(count)
    note_decision(probes.card.id, **counts)


async def _read_or_refuse(
    probes: ProbeReader, item: Input, rules: EnrolmentRules
) -> tuple[Probe | None, FaceToEnrol | FacenetError]:
    """Return the face to enrol, or the error of a refused image. An error that is not about the image is raised."""
    try:
        probe = await _read_reference(probes, item, rules.select)
    except (StorageUnavailable, Unavailable):
        raise
    except FacenetError as error:
        return None, error
    crop = await _crop_to_keep(probes, item, probe)
    return probe, _refusal(probes, probe, rules) or FaceToEnrol(_sha256(item, probe), probe.embeddings[0], crop)


async def _crop_to_keep(probes: ProbeReader, item: Input, probe: Probe) -> KeptCrop | None:
    """Return what is kept of the photograph: a part of it, or what is kept of the enrolled face that is copied."""
    if isinstance(item, FaceInput) and probes.pipeline.keeps_crops:
        with suppress(CropNotFound, FaceNotFound, CollectionNotFound):  # or the face was deleted just now
            return await probes.gallery.get_crop(item.collection, item.face)
    return probe.kept_crops[0] if probe.kept_crops else None


def _refusal(probes: ProbeReader, probe: Probe, rules: EnrolmentRules) -> LowQuality | None:
    """Return the error for a face of low quality, if it is one. An input without a photograph has no quality."""
    minimum = probes.card.minimum_quality if rules.min_quality is None else rules.min_quality
    quality = probe.faces[0].quality if probe.faces[0] else None
    return LowQuality(quality, minimum) if quality and quality.is_below(minimum) else None


def _require_quality_weights(probes: ProbeReader, rules: EnrolmentRules) -> None:
    if rules.min_quality and probes.card.quality is None:
        raise InvalidOption(
            "The card of the model has no weights for the quality score, so min_quality cannot be checked. Leave it "
            "out, or add the weights: facenet-models calibrate-quality."
        )


async def _read_reference(probes: ProbeReader, item: Input, select: SelectFaces) -> Probe:
    match item:
        case PhotographInput(data):
            found = await probes.pipeline.embed_reference(data, select)
            probe = Probe.from_photograph(found, probes.loaded_model)
        case SubjectInput():
            raise InvalidOption(
                "A subject can have several faces, so it cannot be enrolled. Send a photograph, an embedding or a face."
            )
        case _:
            probe = await probes.read_stored(item)
            probes.require_loaded_model(probe.model.id)
    if not len(probe.embeddings):
        raise NoFace(probes.pipeline.extractor.min_face_px)
    return probe


def _sha256(item: Input, probe: Probe) -> str:
    """Return the digest by which the gallery recognises an image that is sent again.

    It is the sha256 of the photograph's bytes, or of the embedding if there is no photograph.
    """
    if isinstance(item, PhotographInput):
        return hashlib.sha256(item.data).hexdigest()
    return embedding_sha256(probe.embeddings[0])
