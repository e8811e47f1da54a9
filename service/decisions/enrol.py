"""Enrol the photographs of a subject: all of one request in one transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.decisions.inputs import Input, PhotographInput, SubjectInput
from service.decisions.probes import Probe, ProbeReader, gather_in_order
from service.domain.errors import FacenetError, InvalidOption, NoFace, StorageUnavailable, Unavailable
from service.gallery.base import EnrolmentOutcome, FaceToEnrol
from service.observability.metrics import DECISIONS
from service.observability.stages import stage
from service.pipeline.selection import SelectFaces, main_face, only_face

ON_SEVERAL: dict[str, SelectFaces] = {"refuse": only_face, "main": main_face}
"""What to do with a photograph of several people, by the name of the API's option."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageEnrolment:
    """The outcome for one image.

    probe: None if the image was refused before it reached the gallery.
    outcome: what the gallery did, or the error for which the image was refused.
    """

    probe: Probe | None
    outcome: EnrolmentOutcome | FacenetError


async def enrol(
    probes: ProbeReader, collection: str, subject: str, images: Sequence[Input], select: SelectFaces
) -> list[ImageEnrolment]:
    """Enrol one face of each image, and return after the commit.

    If an image is refused, the others are still enrolled.
    Raises GalleryError or Unavailable, and then nothing was stored.
    """
    await probes.gallery.check_enrolment(collection, subject, probes.loaded_model)
    read = await gather_in_order(_read_or_refuse(probes, image, select) for image in images)
    new = [face for _, face in read if isinstance(face, FaceToEnrol)]
    with stage("store"):
        stored = await probes.gallery.enrol(collection, subject, new, probes.loaded_model) if new else []
    outcomes = iter(stored)
    enrolments = [
        ImageEnrolment(probe, next(outcomes) if isinstance(face, FaceToEnrol) else face) for probe, face in read
    ]
    for enrolment in enrolments:
        outcome = enrolment.outcome
        DECISIONS.labels("enrol", "refused" if isinstance(outcome, FacenetError) else outcome.status).inc()
    return enrolments


async def _read_or_refuse(
    probes: ProbeReader, item: Input, select: SelectFaces
) -> tuple[Probe | None, FaceToEnrol | FacenetError]:
    """Return the face to enrol, or the error of a refused image. An error that is not about the image is raised."""
    try:
        probe = await _read_reference(probes, item, select)
    except (StorageUnavailable, Unavailable):
        raise
    except FacenetError as error:
        return None, error
    return probe, FaceToEnrol(_sha256(item, probe), probe.embeddings[0])


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
    data = item.data if isinstance(item, PhotographInput) else np.ascontiguousarray(probe.embeddings[0]).tobytes()
    return hashlib.sha256(data).hexdigest()
