"""The answers about the service itself.

This file is written by write_schemas.py.
"""

from typing import Literal

from pydantic import SkipValidation

from facenet_client.schemas.base import Answer
from facenet_client.schemas.shared import Calibration


class ClusteringThresholds(Answer):
    """Squared L2 distances, by the number of people.

    mixed_share: the share of clusters that may hold faces of two people.
    people: numbers of people, ascending.
    thresholds_sq_l2: the threshold for each, descending.
    measured_on: the data, in words.
    """

    mixed_share: float
    people: tuple[int, ...]
    thresholds_sq_l2: tuple[float, ...]
    measured_on: str


class CompatibleAnswer(Answer):
    """A model whose embeddings can be compared with those of the loaded model, and the thresholds between the two."""

    name: str
    id: str
    threshold: float
    """the default threshold of /verify"""
    identification_threshold: float | None
    """the default threshold of /identify if there is no calibration"""
    calibration: Calibration | None
    """how often comparisons are wrong, at each threshold. Null if it was not measured"""


class HealthAnswer(Answer):
    """The state of the service."""

    status: SkipValidation[Literal["alive", "ready"]]


class LoadedModelAnswer(Answer):
    """The loaded embedder, as its card describes it."""

    name: str
    id: str
    dimension: int
    architecture: str
    licence: str
    training: str
    threshold: float
    """the default threshold of /verify"""
    identification_threshold: float | None
    """the default threshold of /identify if there is no calibration"""
    calibration: Calibration | None
    """how often comparisons are wrong, at each threshold. Null if it was not measured"""
    clustering_threshold: float | ClusteringThresholds | None
    """the default threshold of /cluster with the method agglomerative: one, or one for each number of people. Null
    if the model has none
    """
    compatible_with: tuple[CompatibleAnswer, ...]
    """other models whose embeddings and collections are accepted. One collection cannot mix models"""
