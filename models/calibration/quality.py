"""The weights of the quality score of one model, fitted on a folder of people. `facenet-models calibrate-quality`.

Each person gives mated pairs: a reference, and a probe that was degraded at random. A logistic regression learns which
probes do not match at FMR 1e-3. Pairs that do not match before the probe is degraded are left out, because the quality
of the probe is not the reason: a wrong label, or twenty years between the photographs.

The score is the probability that the probe matches. A probe below the minimum is more likely to fail than to match.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from models.errors import DatasetError
from models.evaluation.quality.probes import JudgedProbes, PairOfOnePerson, stack_embeddings
from service.model_files.card import QualityWeights
from service.pipeline.quality import quality_terms

PAIRS_PER_PERSON = 4

INVERSE_RIDGE = 0.01
"""`C` of scikit-learn: the smaller, the smaller the factors.

Between 0.003 and 0.02, FNMR on people who are not in the fit is the same.
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
    match_well = JudgedProbes.sharp(pairs).mated_distances() < threshold - MARGIN_SQ_L2
    used = JudgedProbes.degraded([pair for pair, matches in zip(pairs, match_well, strict=True) if matches])
    missed = used.mated_distances() >= threshold
    if not 10 <= np.count_nonzero(missed) <= len(missed) - 10:
        raise DatasetError(f"{len(missed)} pairs of one person are too few to fit the quality. Give more people.")
    terms = quality_terms([face.quality.measures for face in used.probes], stack_embeddings(used.probes))
    factors, constant = _fit_logistic(terms, ~missed)
    return QualityWeights(
        detection_score=round(factors[0], 4),
        sharpness=round(factors[1], 4),
        embedding=tuple(np.round(factors[2:], 3).tolist()),
        intercept=round(constant, 4),
        minimum=MINIMUM,
        fitted_on=f"{len(missed):,} degraded photographs of {len(np.unique(used.people)):,} people of {folder}",
    )


def _fit_logistic(terms: Terms, matched: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Return the factors and the constant: the probability of a match is `expit(terms @ factors + constant)`."""
    scaler = StandardScaler().fit(terms)
    regression = LogisticRegression(C=INVERSE_RIDGE, max_iter=1000).fit(scaler.transform(terms), matched)
    factors = regression.coef_[0] / scaler.scale_
    return factors, float(regression.intercept_[0] - factors @ scaler.mean_)
