"""Find the faces of a photograph: in every size, in every turn, and nothing that is no face.

    detector: candidates -> landmark network: landmarks and a score -> faces

Both networks were trained on upright faces, and both find something in a face that is upside down. Its embedding is
then worthless: strangers match. So a candidate with a low landmark score is turned by quarter turns. If it looks more
like a face in another turn, the photograph is searched in all turns. The turn with the higher score wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.domain.face import Face
from service.domain.image import Image
from service.observability.stages import stage
from service.pipeline.detection.landmarks import LandmarkNetwork
from service.pipeline.detection.pyramid import PyramidDetector, best_of_overlapping

FindFaces = Callable[[Image], Sequence[Face]]
"""Finds the faces of a photograph, highest score first."""

MIN_LANDMARK_SCORE = 0.5
"""Below it, "no face" is more likely than "face". Of the 13,233 faces of LFW, the lowest score is 0.61."""

MIN_SCORE = 0.5
"""The least product of detection score and landmark score."""

SURE_LANDMARK_SCORE = 0.99
"""A face with this score is upright. A lower one is turned, to see.

On LFW 10 % of upright faces have less, and 98 % of those that are upside down.
"""

MIN_TURNED_SCORE = 0.8
"""The same for a face that is not upright. It is higher, because few photographs are turned."""


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """Finds faces with a detector and a landmark network. Safe to call from several threads at once."""

    detector: PyramidDetector
    landmarks: LandmarkNetwork

    def find(self, image: Image) -> list[Face]:
        """Return the faces with refined landmarks, highest score first."""
        candidates = self._candidates(image, 0)
        if self._may_be_turned(image, candidates):
            for quarter_turns in (1, 2, 3):
                candidates += self._candidates(image, quarter_turns)
        # Of overlapping candidates the best is chosen first: a face that is not good enough in its best turn is left
        # out, and not taken in a worse one.
        return [face for face in best_of_overlapping(candidates) if self._is_face(face)]

    def _candidates(self, image: Image, quarter_turns: int) -> list[Face]:
        with stage("detect"):
            detected = self.detector.detect(image, quarter_turns)
        with stage("landmarks"):
            return self.landmarks.refine(image, detected)

    def _may_be_turned(self, image: Image, upright: Sequence[Face]) -> bool:
        """Return whether there is no upright face, or an unsure one that looks better in another turn."""
        if not any(self._is_face(face) for face in upright):
            return True
        with stage("landmarks"):
            unsure = (face for face in upright if _landmark_score(face) < SURE_LANDMARK_SCORE)
            return any(self.landmarks.best_turn(image, face) for face in unsure)

    def _is_face(self, face: Face) -> bool:
        least = MIN_TURNED_SCORE if face.quarter_turns else MIN_SCORE
        return _landmark_score(face) >= MIN_LANDMARK_SCORE and face.score >= least


def _landmark_score(face: Face) -> float:
    return 1.0 if face.landmark_score is None else face.landmark_score
