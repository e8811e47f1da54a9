"""Which thresholds hold between two embeddings (FaceNet, appendix: harmonic embeddings).

The card of the loaded model has thresholds for two of its own embeddings. It also has thresholds for one of its own
embeddings and one of a compatible model. It has no thresholds for two embeddings of other models. So the loaded model
makes at least one side of every comparison.
"""

from dataclasses import dataclass

from service.domain.errors import ModelMismatch
from service.gallery.base import EmbeddingModel
from service.model_files.calibration import Calibration
from service.model_files.card import CompatibleModel, EmbedderCard, Thresholds, ThresholdsBetweenModels


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """The thresholds between the two sides of a comparison.

    calibration: the error rates at each threshold. None if the card has none.
    compatible_model: the other model that made one side. None if the loaded model made both sides.
    """

    thresholds: Thresholds | ThresholdsBetweenModels
    calibration: Calibration | None
    compatible_model: CompatibleModel | None


def compare_models(card: EmbedderCard, probe: EmbeddingModel, reference: EmbeddingModel) -> ModelComparison:
    """Return what the card of the loaded model says about these two models. Their order does not matter.

    Raises ModelMismatch unless one is the loaded model, and the other is the loaded model or compatible with it.
    """
    others = {model.id for model in (probe, reference)} - {card.id}
    if not others:
        return ModelComparison(card.thresholds, card.calibration, None)
    compatible_model = card.compatible_model(others.pop())
    if compatible_model is None or card.id not in {probe.id, reference.id}:
        raise ModelMismatch(
            "The loaded model (GET /model) made neither of the two embeddings, and its card has no threshold for other "
            "models. Load the model that made them, or send a photograph in place of one of them."
        )
    return ModelComparison(compatible_model.thresholds, compatible_model.calibration, compatible_model)
