"""Do two images show the same person? One comparison and one threshold (FaceNet, section 4)."""

from dataclasses import dataclass

from service.decisions.error_rates.score import ScoreScale
from service.decisions.error_rates.thresholds import ExpectedRates, RequestedThreshold, rates_at, verification_threshold
from service.decisions.inputs import Input
from service.decisions.model_comparison import compare_models
from service.decisions.probes import Probe, ProbeReader, gather_in_order, name_input
from service.domain.distances import squared_l2
from service.domain.errors import NoFace
from service.model_files.card import CompatibleModel
from service.observability.metrics import DECISIONS
from service.observability.outcomes import note_decision
from service.pipeline.selection import main_face


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The result of a verification.

    verified: whether the distance is below the threshold.
    distance: squared L2, in [0, 4].
    score: of the distance, in [0, 100], see `score.py`.
    rates: the error rates that are expected at the threshold.
    compatible_model: the other model that made one side. None if the loaded model made both sides.
    """

    verified: bool
    distance: float
    score: float
    threshold_sq_l2: float
    rates: ExpectedRates
    image_a: Probe
    image_b: Probe
    compatible_model: CompatibleModel | None


async def verify(probes: ProbeReader, image_a: Input, image_b: Input, requested: RequestedThreshold) -> Verification:
    """Compare the main faces of two photographs, or of other inputs.

    If an input has several embeddings (a subject), the nearest one counts, and the error rates are those of all pairs.
    requested: None means the threshold of the card for the models of the two sides.
    Raises PhotographError, EmbeddingError, GalleryError or RateNotMeasured. The error names `image_a` or `image_b` if
    it is about one.
    """
    a, b = await gather_in_order(
        [
            name_input("image_a", _read_main_face(probes, image_a)),
            name_input("image_b", _read_main_face(probes, image_b)),
        ]
    )
    comparison = compare_models(probes.card, a.model, b.model)
    distances = squared_l2(a.embeddings, b.embeddings)
    threshold = verification_threshold(comparison, requested, distances.size)
    distance = float(distances.min())
    verified = distance < threshold
    outcome = "match" if verified else "no_match"
    DECISIONS.labels("verify", outcome).inc()
    note_decision(probes.card.id, threshold, **{outcome: 1})
    score = ScoreScale(threshold, comparison.calibration).score(distance)
    rates = rates_at(comparison, threshold, distances.size)
    return Verification(verified, distance, score, threshold, rates, a, b, comparison.compatible_model)


async def _read_main_face(probes: ProbeReader, item: Input) -> Probe:
    probe = await probes.read(item, main_face)
    if not len(probe.embeddings):
        raise NoFace(probes.pipeline.extractor.min_face_px)
    return probe
