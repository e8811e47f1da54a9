"""At which thresholds may two embeddings be compared? (FaceNet, appendix: harmonic embeddings.)

The loaded model's card says it: for two of its own, and for one of its own and one of each model that it calls
compatible. Of two embeddings of another model it knows nothing, so the loaded model makes at least one side of every
comparison.
"""

from dataclasses import dataclass

from service.card import Compatible, EmbedderCard, PairThresholds, Thresholds
from service.errors import ModelMismatch
from service.galleries.base import ModelRef


@dataclass(frozen=True, slots=True)
class Comparison:
    """thresholds: what holds between the two sides. other: whose one of them is; None where both are the loaded's."""

    thresholds: Thresholds | PairThresholds
    other: Compatible | None


def compare(card: EmbedderCard, probe: ModelRef, reference: ModelRef) -> Comparison:
    """What the loaded model's card says of these two, in either order.

    Raises ModelMismatch unless one of them is the loaded model and the other is it too, or compatible with it.
    """
    others = {model.id for model in (probe, reference)} - {card.id}
    if not others:
        return Comparison(card.thresholds, None)
    other = card.compatible(others.pop())
    if other is None or card.id not in {probe.id, reference.id}:
        raise ModelMismatch(
            "Neither side was embedded by the model that is loaded (GET /model), and its card has no threshold between "
            "others. Load the model that made them, or send a photograph for one of them."
        )
    return Comparison(other.thresholds, other)
