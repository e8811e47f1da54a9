"""The answers of /verify, /identify, /cluster and /embed.

This file is written by write_schemas.py.
"""

from typing import Literal

from pydantic import SkipValidation

from facenet_client.schemas.base import Answer
from facenet_client.schemas.shared import BoxAnswer, ModelAnswer, QualityAnswer, WarningAnswer


class CandidateAnswer(Answer):
    """A subject, and the nearest of the subject's faces."""

    subject: str
    name: str | None
    distance: float
    score: float
    """the distance as a number from 0 to 100. 50 is the threshold. Each 10 points more, two people come this near
    ten times less often
    """
    face: str


class ClusterAnswer(Answer):
    """One cluster. The numbers are positions in `faces`."""

    label: int
    size: int
    representative: int
    members: tuple[int, ...]


class FaceAnswer(Answer):
    """Where a face is. All fields are null if an embedding was given instead of a photograph."""

    box: BoxAnswer | None
    landmarks: tuple[tuple[float, float], ...] | None
    """the person's right eye, left eye, nose tip, right and left corner of the mouth"""
    detection_score: float | None
    roll: float | None
    """the rotation of the head in the image in degrees, clockwise, in (-180, 180]. 0 is upright"""
    quality: QualityAnswer | None


class ClusteredFace(Answer):
    """One face: where it comes from, and the label of its cluster. The label is -1 if no other face is similar."""

    image: int | None
    """the position of the image in the request"""
    face: FaceAnswer
    enrolled: str | None
    """the id of the face, if a collection was clustered"""
    subject: str | None
    label: int


class ClusteringAnswer(Answer):
    """Which faces belong to the same person."""

    faces: tuple[ClusteredFace, ...]
    clusters: tuple[ClusterAnswer, ...]
    method: str
    threshold: float | None
    """the threshold that gives these clusters. Null if none was used"""
    expected_mixed_share: float | None
    """at most this share of the clusters is expected to hold faces of several people. Null if you pass `threshold`
    or `n_clusters`, and for methods or models without a measured threshold
    """
    warnings: tuple[tuple[WarningAnswer, ...], ...]
    """one list for each image, in the order of the request"""
    model: ModelAnswer


class EmbeddedFace(FaceAnswer):
    """One face. `embedding` is null unless the query has include=embedding."""

    embedding: tuple[float, ...] | None


class EmbeddedImage(Answer):
    """The faces of one image."""

    faces: tuple[EmbeddedFace, ...]
    warnings: tuple[WarningAnswer, ...]


class EmbedAnswer(Answer):
    """One entry for each image, in the order of the request."""

    images: tuple[EmbeddedImage, ...]
    model: ModelAnswer


class IdentifiedFace(FaceAnswer):
    """One face of the image. `subject`, `distance` and `score` are null unless the decision is `match`.

    The subject is the first candidate, unless another face of the photograph is nearer to that candidate.
    """

    decision: SkipValidation[Literal["match", "ambiguous", "unknown"]]
    """`ambiguous`: two subjects are nearly equally near, and it is not known which of them it is"""
    subject: str | None
    distance: float | None
    score: float | None
    """the distance as a number from 0 to 100. 50 is the threshold. Each 10 points more, two people come this near
    ten times less often
    """
    between: tuple[CandidateAnswer, ...]
    """the two subjects of an `ambiguous` face, nearest first. Otherwise empty"""
    nearest_taken_by: int | None
    """the position in `faces` of another face that is nearer to this face's nearest subject, and got it. Null if
    there is none
    """
    candidates: tuple[CandidateAnswer, ...]


class IdentifyAnswer(Answer):
    """Every face of the image. The list is empty if the image shows no face."""

    faces: tuple[IdentifiedFace, ...]
    threshold: float
    margin: float
    """in points of score, as it was applied"""
    fpir: float | None
    """false positive identification rate at the threshold: how often a stranger gets a match in a collection of this
    size. Null if it was not measured
    """
    fpir_missing: str | None
    """why `fpir` is null"""
    calibration: SkipValidation[Literal["model", "own"]]
    """whose error rates were used"""
    gallery_size: int
    warnings: tuple[WarningAnswer, ...]
    model: ModelAnswer
    compared_with: ModelAnswer | None
    """the compatible model that made one side of the comparison. The threshold is then one that was measured between
    the two models. Null if `model` made both sides
    """


class ImageAnswer(Answer):
    """The face that was used of one image."""

    face: FaceAnswer
    faces_found: int | None
    warnings: tuple[WarningAnswer, ...]


class VerifyAnswer(Answer):
    """Whether both images show the same person: `distance < threshold`."""

    verified: bool
    distance: float
    score: float
    """the distance as a number from 0 to 100. 50 is the threshold. Each 10 points more, two people come this near
    ten times less often
    """
    threshold: float
    fmr: float | None
    """false match rate at the threshold: how often two people match. With a subject of several faces: how often
    another person matches one of them. Null if it was not measured
    """
    fnmr: float | None
    """false non-match rate at the threshold: how often two photographs of one person do not match. With a subject of
    several faces, fewer do not match. Null if it was not measured
    """
    rates_missing: str | None
    """why `fmr` and `fnmr` are null"""
    image_a: ImageAnswer
    image_b: ImageAnswer
    model: ModelAnswer
    compared_with: ModelAnswer | None
    """the compatible model that made one side of the comparison. The threshold is then one that was measured between
    the two models. Null if `model` made both sides
    """
