"""Find the faces of a photograph: in every size, in every turn, and nothing that is no face.

    detector: candidates -> landmark network: landmarks and a score -> faces

Both networks were trained on upright faces, and both find something in a face that is upside down. Its embedding is
then worthless: strangers match. So a candidate with a low landmark score is turned by quarter turns. If it looks more
like a face in another turn, the region around it is searched in the other turns. If it is found there with a higher
score, the whole photograph is searched in that turn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.domain.face import Face
from service.domain.image import Image
from service.observability.stages import stage
from service.pipeline.detection.landmarks import LandmarkNetwork
from service.pipeline.detection.pyramid import PyramidDetector, best_faces

FindFaces = Callable[[Image], Sequence[Face]]
"""Finds the faces of a photograph, highest score first."""

RefineFaces = Callable[[Image, Sequence[Face]], Sequence[Face]]
"""Finds the landmarks of faces again, in the same order."""

MIN_LANDMARK_SCORE = 0.5
"""Below it, "no face" is more likely than "face". Of the 13,233 faces of LFW, the lowest score is 0.61."""

MIN_SCORE = 0.5
"""The least product of detection score and landmark score."""

MIN_TURNED_SCORE = 0.8
"""The least product for a face that is not upright. It is higher, because few photographs are turned."""

SURE_LANDMARK_SCORE = 0.99
"""A candidate with this score counts as upright. A candidate with a lower score is unsure.

On LFW, 10 % of upright faces have a lower score, and 98 % of those that are upside down.
"""

MAX_UNSURE = 20
"""The most unsure candidates of one photograph that are turned: those with the highest scores. It limits the time."""

OTHER_TURNS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class DetectorAlone:
    """Finds faces without a landmark network. Safe to call from several threads at once."""

    detector: PyramidDetector

    def find(self, image: Image) -> list[Face]:
        """Return the faces, highest score first."""
        return self.detector.detect(image)

    def refine(self, _image: Image, faces: Sequence[Face]) -> Sequence[Face]:
        """Return the faces as they are."""
        return faces


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """Finds faces with a detector and a landmark network. Safe to call from several threads at once."""

    detector: PyramidDetector
    landmarks: LandmarkNetwork

    def find(self, image: Image) -> list[Face]:
        """Return the faces with refined landmarks, highest score first."""
        candidates = self._candidates(image, 0)
        for quarter_turns in self._turns_to_search(image, candidates):
            candidates += self._candidates(image, quarter_turns)
        # Of overlapping candidates the best is chosen first: a face that is not good enough in its best turn is left
        # out, and not taken in a worse one.
        return [face for face in _best_of_overlapping(candidates) if _is_face(face)]

    def refine(self, image: Image, faces: Sequence[Face]) -> Sequence[Face]:
        """Find the landmarks of faces again, in an image of more pixels. The faces stay in their order."""
        return self.landmarks.refine(image, faces)

    def _candidates(self, image: Image, quarter_turns: int) -> list[Face]:
        with stage("detect"):
            detected = self.detector.detect(image, quarter_turns)
        with stage("landmarks"):
            return self.landmarks.refine(image, detected)

    def _turns_to_search(self, image: Image, upright: Sequence[Face]) -> Sequence[int]:
        """Return the turns in which a face was found around an unsure candidate. Without any face, return all turns."""
        if not any(_is_face(face) for face in upright):
            return OTHER_TURNS
        unsure = [face for face in upright if face.landmark_score < SURE_LANDMARK_SCORE][:MAX_UNSURE]
        return sorted({turn for face in unsure for turn in self._better_turns(image, face)})

    def _better_turns(self, image: Image, face: Face) -> set[int]:
        """Search the region around a candidate in the other turns. Return the turns in which it has a higher score."""
        with stage("landmarks"):
            if self.landmarks.best_turn(image, face) == 0:
                return set()
        region, moved = _region_around(image, face)
        turned = [found for turn in OTHER_TURNS for found in self._candidates(region, turn)]
        kept = _best_of_overlapping([moved, *turned])
        return set() if moved in kept else {found.quarter_turns for found in kept}


def _region_around(image: Image, face: Face) -> tuple[Image, Face]:
    """Return the part of the image around a face, and the face in pixels of this part.

    Its sides are three times as long as those of the box.
    """
    margin = max(face.box.width, face.box.height)
    step = image.reduction
    left, right = _span((face.box.x - margin) / step, (face.box.width + 2 * margin) / step, image.pixels.shape[1])
    top, bottom = _span((face.box.y - margin) / step, (face.box.height + 2 * margin) / step, image.pixels.shape[0])
    corner = np.array([left, top], np.float32) * step
    box = replace(face.box, x=face.box.x - float(corner[0]), y=face.box.y - float(corner[1]))
    moved = replace(face, box=box, landmarks=face.landmarks - corner)
    return Image(image.pixels[top:bottom, left:right], reduction=step), moved


def _span(start: float, length: float, side: int) -> tuple[int, int]:
    """Return the part of a span that is inside the image, at least one pixel. A box can be beyond the edge."""
    first = min(max(0, int(start)), side - 1)
    return first, max(first + 1, min(side, int(start + length)))


def _best_of_overlapping(faces: Sequence[Face]) -> list[Face]:
    """Return the faces, highest score first, without those that overlap a better one."""
    return best_faces(faces, [face.score for face in faces])


def _is_face(face: Face) -> bool:
    least = MIN_TURNED_SCORE if face.quarter_turns else MIN_SCORE
    return face.landmark_score >= MIN_LANDMARK_SCORE and face.score >= least
