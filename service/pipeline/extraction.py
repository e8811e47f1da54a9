"""From the bytes of a photograph to the crops of its faces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.domain.face import Crops, Face
from service.domain.image import Image, Notice
from service.observability.stages import stage
from service.pipeline.alignment import Aligner
from service.pipeline.decoding import decode
from service.pipeline.detectors.base import Detector
from service.pipeline.selection import SelectFaces

RefineLandmarks = Callable[[Image, Sequence[Face]], Sequence[Face]]
"""Replaces the landmarks of faces by better ones."""


def keep_landmarks(_image: Image, faces: Sequence[Face]) -> Sequence[Face]:
    """Keep the landmarks of the detector."""
    return faces


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFaces:
    """The selected faces of an image, with refined landmarks.

    faces_found: how many faces the detector found, selected or not.
    """

    image: Image
    faces: tuple[Face, ...]
    faces_found: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ExtractedFaces:
    """The selected faces of a photograph and their crops, row by row.

    crops: (n, h, w, 3) uint8.
    faces_found: how many faces the detector found, selected or not.
    """

    faces: tuple[Face, ...]
    crops: Crops
    faces_found: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class FaceExtractor:
    """Decodes, detects, selects, refines and aligns. It works on one photograph at a time, in the calling thread.

    max_faces: the most faces that are used. If there are more, those with the highest detection scores are used.
    """

    detector: Detector
    refine_landmarks: RefineLandmarks
    aligner: Aligner
    max_pixels: int
    max_faces: int

    def extract(self, data: bytes, select: SelectFaces) -> ExtractedFaces:
        """Return the crops of the selected faces. There may be none. Raises PhotographError."""
        detected = self.detect(data, select)
        with stage("align"):
            crops = self.aligner.align(detected.image, detected.faces)
        return ExtractedFaces(detected.faces, crops, detected.faces_found, detected.notices)

    def detect(self, data: bytes, select: SelectFaces) -> DetectedFaces:
        """Return the selected faces. There may be none. Raises PhotographError."""
        with stage("decode"):
            image = decode(data, self.max_pixels)
        with stage("detect"):
            (found,) = self.detector.detect([image])
        left_out = (Notice.FACES_LEFT_OUT,) if len(found) > self.max_faces else ()
        selected = select(found[: self.max_faces], image)
        with stage("landmarks"):
            faces = tuple(self.refine_landmarks(image, selected))
        return DetectedFaces(image, faces, len(found), image.notices + left_out)
