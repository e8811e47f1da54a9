"""Measure the quality of faces.

The score is a logistic regression on three things: the detection score, the sharpness and the embedding. Faces that
cannot be recognised have similar embeddings (Deng et al., "Harnessing Unrecognizable Faces", arXiv 2106.04112). The
weights are in the card of the model, and `facenet-models calibrate-quality` fits them.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from service.domain.embedding import Embeddings
from service.domain.face import Box, Crops, Face
from service.domain.image import Image, Pixels
from service.domain.quality import LIMITS, FaceMeasures, FaceQuality, QualityReason
from service.model_files.card import FivePointAlignment, QualityWeights
from service.pipeline.alignment import Aligner

TEMPLATE = Aligner(FivePointAlignment(view=(0, 0, 112, 112), height=112, width=112))
"""Cuts out the crop that is measured. It does not depend on the embedder, so measures of two models can be compared."""

FACE = (slice(16, 112), slice(16, 96))
"""The rows and columns of the crop that show the face and little else."""

QUARTERS = [(rows, columns) for rows in (slice(16, 64), slice(64, 112)) for columns in (slice(16, 56), slice(56, 96))]

FINE_DETAIL_SIGMA_PX = 2.0
"""What a Gaussian blur of this size removes from the crop is fine detail."""

NOSE_TO_EYE = 1.1
"""How far the tip of the nose is in front of the eyes, divided by half the distance of the eyes."""

SCORE_DIGITS = 4
"""Answers show so many digits after the point. A minimum is compared with what the answer shows."""

SMALLEST_SHARPNESS = 0.01
"""It is added before the logarithm."""


def measure_faces(image: Image, faces: Sequence[Face], crops: Crops) -> list[FaceMeasures]:
    """Measure faces of an image. crops: (n, 112, 112, 3) uint8, cut out by `TEMPLATE`."""
    return [_measure(image, face, crop) for face, crop in zip(faces, crops, strict=True)]


def _measure(image: Image, face: Face, crop: Pixels) -> FaceMeasures:
    luminance = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    brightness, contrast = _mean_and_deviation(luminance[FACE])
    return FaceMeasures(
        face_width_px=face.box.height if face.quarter_turns % 2 else face.box.width,
        sharpness=_least_fine_detail(luminance) / (contrast + 1.0),
        brightness=brightness / 255,
        contrast=contrast / 255,
        yaw_deg=_yaw_deg(face),
        roll_deg=face.roll_deg,
        share_inside=_share_inside(face.box, image),
        detection_score=face.detection_score,
        landmark_score=face.landmark_score,
    )


def _mean_and_deviation(luminance: NDArray[np.float32]) -> tuple[float, float]:
    mean, deviation = cv2.meanStdDev(luminance)
    return float(mean[0, 0]), float(deviation[0, 0])


def _least_fine_detail(luminance: NDArray[np.float32]) -> float:
    """Return the standard deviation of the fine detail, in the quarter of the face that has least of it.

    So a face that is half covered is not sharp.
    """
    fine = luminance - cv2.GaussianBlur(luminance, (0, 0), FINE_DETAIL_SIGMA_PX)
    return min(_mean_and_deviation(fine[quarter])[1] for quarter in QUARTERS)


def _yaw_deg(face: Face) -> float:
    """Estimate the yaw from the place of the nose along the line of the eyes."""
    right_eye, left_eye, nose = (complex(x, y) for x, y in face.landmarks[:3].tolist())
    eye_line = left_eye - right_eye
    half = max(abs(eye_line) / 2, 1e-3)
    beside_middle = ((nose - (left_eye + right_eye) / 2) * eye_line.conjugate()).real / (2 * half)
    return math.degrees(math.atan2(beside_middle, NOSE_TO_EYE * half))


def _share_inside(box: Box, image: Image) -> float:
    across, down = _length_inside(box.x, box.width, image.width), _length_inside(box.y, box.height, image.height)
    return across * down / box.area


def _length_inside(start: float, length: float, side_px: int) -> float:
    return max(0.0, min(start + length, side_px) - max(start, 0.0))


def judge_faces(
    weights: QualityWeights | None, faces: Sequence[Face], measures: Sequence[FaceMeasures], embeddings: Embeddings
) -> list[Face]:
    """Return the faces with their quality. All arguments are row by row. weights: None leaves out the score."""
    if weights is None:
        qualities = [FaceQuality(None, _reasons(measured), measured) for measured in measures]
    else:
        factors = np.array([weights.detection_score, weights.sharpness, *weights.embedding])
        logits = quality_terms(measures, embeddings) @ factors + weights.intercept
        scores = np.round(1 / (1 + np.exp(-logits)), SCORE_DIGITS).tolist()
        qualities = [_judge(weights, measured, score) for measured, score in zip(measures, scores, strict=True)]
    return [replace(face, quality=quality) for face, quality in zip(faces, qualities, strict=True)]


def quality_terms(measures: Sequence[FaceMeasures], embeddings: Embeddings) -> NDArray[np.float64]:
    """Return the terms of the regression, (n, 2 + d): of the detection scores, the sharpness and the embeddings."""
    detection_scores = np.clip([measured.detection_score for measured in measures], 1e-4, 1 - 1e-4)
    sharpness = np.array([measured.sharpness for measured in measures])
    logits = np.log(detection_scores / (1 - detection_scores))
    return np.column_stack([logits, np.log(sharpness + SMALLEST_SHARPNESS), embeddings.astype(np.float64)])


def _judge(weights: QualityWeights, measures: FaceMeasures, score: float) -> FaceQuality:
    reasons = _reasons(measures)
    if score < weights.minimum and not reasons:
        reasons = (QualityReason.UNRECOGNISABLE,)
    return FaceQuality(score, reasons, measures)


def _reasons(measures: FaceMeasures) -> tuple[QualityReason, ...]:
    return tuple(limit.reason for limit in LIMITS if limit.breaks(measures))
