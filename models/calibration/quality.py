"""The weights of the quality score of one model, fitted on a folder of people. `facenet-models calibrate-quality`.

Each person gives mated pairs: a reference, and a probe that was degraded at random. A logistic regression learns which
probes do not match at FMR 1e-3. Pairs that do not match before the probe is degraded are left out, because the quality
of the probe is not the reason: a wrong label, or twenty years between the photographs.

The score is the probability that the probe matches. A probe below the minimum is more likely to fail than to match.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.errors import DatasetError
from models.evaluation.quality.probes import EmbeddedFace, JudgedProbes, PairOfOnePerson
from service.model_files.card import QualityWeights
from service.pipeline.quality import quality_terms

PAIRS_PER_PERSON = 4

RIDGE = 100.0
"""How much large factors are punished: half of this times the sum of their squares, for terms of variance 1.

Between 30 and 300 nothing changes on people who are not in the fit.
"""

MARGIN_SQ_L2 = 0.2
"""A pair is used if its distance, before the probe is degraded, is this much below the threshold."""

MINIMUM = 0.5
"""Of 4,411 photographs of LFW, 99.9 % have a higher score."""

Terms = NDArray[np.float64]
"""(n, 2 + d) float64: the terms of the regression, see `quality_terms`."""


def fit_quality(pairs: Sequence[PairOfOnePerson], folder: str) -> QualityWeights:
    """Fit the weights. folder: the name of the folder of the photographs.

    Raises DatasetError if there are too few pairs.
    """
    probes = JudgedProbes.degraded(pairs)
    threshold = probes.threshold_sq_l2()
    used = JudgedProbes.degraded([pair for pair in pairs if _matches_well(pair, threshold)])
    missed = used.mated_distances() >= threshold
    if not 10 <= np.count_nonzero(missed) <= len(missed) - 10:
        raise DatasetError(f"{len(missed)} pairs of one person are too few to fit the quality. Give more people.")
    terms = _terms(used.probes)
    factors, constant = _fit_logistic(terms, ~missed)
    return QualityWeights(
        detection_score=round(factors[0], 4),
        sharpness=round(factors[1], 4),
        embedding=tuple(np.round(factors[2:], 3).tolist()),
        intercept=round(constant, 4),
        minimum=MINIMUM,
        fitted_on=f"{len(missed):,} degraded photographs of {len(np.unique(used.people)):,} people of {folder}",
    )


def _matches_well(pair: PairOfOnePerson, threshold_sq_l2: float) -> bool:
    distance = float(np.sum((pair.reference.embedding - pair.sharp.embedding) ** 2))
    return distance < threshold_sq_l2 - MARGIN_SQ_L2


def _terms(faces: Sequence[EmbeddedFace]) -> Terms:
    return np.stack([quality_terms(face.quality.measures, face.embedding) for face in faces])


def _fit_logistic(terms: Terms, matched: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Return the factors and the constant of P(matched) = expit(terms @ factors + constant), with a ridge penalty."""
    mean = terms.mean(axis=0)
    deviation = np.maximum(terms.std(axis=0), 1e-3)  # a term that is the same for all probes has no deviation
    scaled = np.column_stack([(terms - mean) / deviation, np.ones(len(terms))])
    target = np.where(matched, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = target * (scaled @ weights)
        penalised = np.append(weights[:-1], 0.0)
        value = np.logaddexp(0.0, -margin).sum() + RIDGE / 2 * penalised @ penalised
        return float(value), RIDGE * penalised - scaled.T @ (target * expit(-margin))

    weights = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B").x
    factors = weights[:-1] / deviation
    return factors, float(weights[-1] - factors @ mean)
