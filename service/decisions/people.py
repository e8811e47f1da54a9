"""Enrolment: photographs of a subject become references of the gallery, all of one request in one transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from anyio import to_thread

from service.decisions.inputs import Claimed, Input, Inputs, Probe, Upload, in_order
from service.domain import Face, Image
from service.errors import FaceError, InvalidOption, NoFace, SeveralFaces, StorageUnavailable, Unavailable
from service.galleries.base import Enrolment, NewFace
from service.observability.metrics import DECISIONS
from service.observability.stages import stage
from service.pipeline import Choose, main_face


@dataclass(frozen=True, slots=True, eq=False)
class Enrolling:
    """What became of one image: what the gallery says of it, or why it was refused before it came there."""

    probe: Probe | None
    outcome: Enrolment | FaceError


def only_face(faces: Sequence[Face], _image: Image) -> Sequence[Face]:
    """The one face of the photograph. Raises SeveralFaces."""
    if len(faces) > 1:
        raise SeveralFaces(len(faces))
    return faces


CHOICES: dict[str, Choose] = {"refuse": only_face, "main": main_face}
"""What to do with a photograph of several people, by the name that the API gives it."""


async def enrol(
    inputs: Inputs, collection: str, subject: str, images: Sequence[Input], choose: Choose
) -> list[Enrolling]:
    """Enrols one face of each image; what is stored is acknowledged after the commit.

    A refused image does not keep the others out. Raises GalleryError or Unavailable, and then nothing was stored.
    """
    await to_thread.run_sync(
        inputs.gallery.check_enrolment, collection, subject, inputs.model, limiter=inputs.gallery_threads
    )
    seen = await in_order(_see(inputs, image, choose) for image in images)
    new = [face for _, face in seen if isinstance(face, NewFace)]
    with stage("store"):
        stored = iter(
            await to_thread.run_sync(
                inputs.gallery.enrol, collection, subject, new, inputs.model, limiter=inputs.gallery_threads
            )
            if new
            else []
        )
    enrolled = [Enrolling(probe, next(stored) if isinstance(face, NewFace) else face) for probe, face in seen]
    for one in enrolled:
        DECISIONS.labels("enrol", "refused" if isinstance(one.outcome, FaceError) else one.outcome.status).inc()
    return enrolled


async def _see(inputs: Inputs, item: Input, choose: Choose) -> tuple[Probe | None, NewFace | FaceError]:
    try:
        probe = await _reference(inputs, item, choose)
    except (StorageUnavailable, Unavailable):
        raise
    except FaceError as refusal:
        return None, refusal
    return probe, NewFace(_digest(item, probe), probe.embeddings[0])


async def _reference(inputs: Inputs, item: Input, choose: Choose) -> Probe:
    match item:
        case Upload(data):
            probe = Probe.seen(await inputs.pipeline.reference(data, choose), inputs.model)
        case Claimed():
            raise InvalidOption("A subject stands for all of their faces. Enrol a photograph, an embedding or a face.")
        case _:
            probe = await inputs.known(item)
            inputs.check_own(probe.model.id)
    if not len(probe.embeddings):
        raise NoFace
    return probe


def _digest(item: Input, probe: Probe) -> str:
    """By what the gallery knows an image again: the sha256 of its bytes, or of the vector where none came."""
    data = item.data if isinstance(item, Upload) else np.ascontiguousarray(probe.embeddings[0]).tobytes()
    return hashlib.sha256(data).hexdigest()
