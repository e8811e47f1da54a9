"""/livez, /readyz and /model."""

from typing import Literal, Self

from pydantic import Field

from service.api.schemas.responses import Answer, ModelAnswer
from service.model_files.calibration import Calibration
from service.model_files.card import CompatibleModel, EmbedderCard, ModelId, Thresholds, ThresholdsBetweenModels
from service.model_files.clustering import ClusteringThresholds


class HealthAnswer(Answer):
    """The state of the service."""

    status: Literal["alive", "ready"]


class CompatibleAnswer(Answer):
    """A model whose embeddings can be compared with those of the loaded model, and the thresholds between the two."""

    name: str
    id: ModelId
    threshold: float = Field(description="the default threshold of /verify")
    identification_threshold: float | None = Field(
        description="the default threshold of /identify if there is no calibration"
    )
    calibration: Calibration | None = Field(
        description="how often comparisons are wrong, at each threshold. Null if it was not measured"
    )

    @classmethod
    def of(cls, model: CompatibleModel) -> Self:
        """Describe a compatible model."""
        return cls(
            name=model.name,
            id=model.id,
            threshold=model.thresholds.verification,
            identification_threshold=_identification_threshold(model.thresholds),
            calibration=model.calibration,
        )


class LoadedModelAnswer(ModelAnswer):
    """The loaded embedder, as its card describes it."""

    architecture: str
    licence: str
    training: str
    threshold: float = Field(description="the default threshold of /verify")
    identification_threshold: float | None = Field(
        description="the default threshold of /identify if there is no calibration"
    )
    calibration: Calibration | None = Field(
        description="how often comparisons are wrong, at each threshold. Null if it was not measured"
    )
    clustering_threshold: float | ClusteringThresholds | None = Field(
        description="the default threshold of /cluster with the method agglomerative: one, or one for each number of "
        "people. Null if the model has none"
    )
    compatible_with: list[CompatibleAnswer] = Field(
        description="other models whose embeddings and collections are accepted. One collection cannot mix models"
    )

    @classmethod
    def of(cls, card: EmbedderCard) -> Self:
        """Describe the loaded model."""
        return cls(
            name=card.name,
            id=card.id,
            dimension=card.dimension,
            architecture=card.architecture,
            licence=card.licence,
            training=card.training,
            threshold=card.thresholds.verification,
            identification_threshold=_identification_threshold(card.thresholds),
            calibration=card.calibration,
            clustering_threshold=card.default_clustering_threshold("agglomerative"),
            compatible_with=[CompatibleAnswer.of(model) for model in card.compatible_with],
        )


def _identification_threshold(thresholds: Thresholds | ThresholdsBetweenModels) -> float | None:
    return thresholds.identification.threshold_sq_l2 if thresholds.identification else None
