"""Are these two the same person? One comparison, one threshold (FaceNet, section 4)."""

from dataclasses import dataclass

from service.card import Compatible
from service.decisions.comparison import compare
from service.decisions.inputs import Input, Inputs, Probe, at, in_order
from service.distances import squared_l2
from service.errors import NoFace
from service.observability.metrics import DECISIONS
from service.pipeline import main_face


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """distance: squared L2, in [0, 4]; verified when it is below the threshold.

    other: the compatible model that made one side; None where the loaded model made both.
    """

    verified: bool
    distance: float
    threshold_sq_l2: float
    image_a: Probe
    image_b: Probe
    other: Compatible | None


async def verify(inputs: Inputs, image_a: Input, image_b: Input, threshold_sq_l2: float | None) -> Verification:
    """Compares the main faces of two photographs, or what else was given.

    threshold_sq_l2: None takes the card's for the models that made the two sides. Where a side holds several vectors
    (a claimed subject), the nearest counts. Raises PhotographError, EmbeddingError or GalleryError, each naming
    `image_a` or `image_b` where it is about one.
    """
    a, b = await in_order([at("image_a", _one_face(inputs, image_a)), at("image_b", _one_face(inputs, image_b))])
    comparison = compare(inputs.card, a.model, b.model)
    threshold = comparison.thresholds.verification if threshold_sq_l2 is None else threshold_sq_l2
    distance = float(squared_l2(a.embeddings, b.embeddings).min())
    verified = distance < threshold
    DECISIONS.labels("verify", "match" if verified else "no_match").inc()
    return Verification(verified, distance, threshold, a, b, comparison.other)


async def _one_face(inputs: Inputs, item: Input) -> Probe:
    probe = await inputs.probe(item, main_face)
    if not len(probe.embeddings):
        raise NoFace
    return probe
