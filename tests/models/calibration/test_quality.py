import tomllib
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from models.calibration.quality import MINIMUM, fit_quality
from models.errors import DatasetError
from models.evaluation.quality.probes import EmbeddedFace, PairOfOnePerson
from models.evaluation.reports.card_entries import toml_table
from service.domain.distances import unit
from service.domain.quality import FaceMeasures, FaceQuality
from service.model_files.card import QualityWeights
from service.pipeline.quality import judge_faces
from tests.support.fakes import frontal_face

DIMENSION = 32


def embedded(embedding: np.ndarray, sharpness: float) -> EmbeddedFace:
    measures = FaceMeasures(100, sharpness, 0.5, 0.2, 0, 0, 1, 0.9, 0.9)
    face = replace(frontal_face(0, 0, 10, 10), quality=FaceQuality(None, (), measures))
    return EmbeddedFace(face, unit(embedding[None].astype(np.float32))[0])


def made_pairs(count: int) -> list[PairOfOnePerson]:
    """Return pairs whose degraded probe matches the more often, the sharper it is."""
    rng = np.random.default_rng(1)
    pairs = []
    for person in range(count):
        reference = rng.normal(size=DIMENSION)
        sharpness = rng.uniform(0.0, 0.3)
        matches = rng.random() < expit(40 * (sharpness - 0.15))
        probe = reference if matches else rng.normal(size=DIMENSION)
        pairs.append(
            PairOfOnePerson(person, embedded(reference, 0.2), embedded(reference, 0.2), embedded(probe, sharpness))
        )
    return pairs


@pytest.fixture(scope="module")
def weights() -> QualityWeights:
    return fit_quality(made_pairs(400), "people")


def score(weights: QualityWeights, sharpness: float) -> float:
    face = embedded(np.random.default_rng(2).normal(size=DIMENSION), sharpness)
    (judged,) = judge_faces(weights, [face.face], [face.quality.measures], face.embedding[None])
    assert judged.quality is not None
    assert judged.quality.score is not None
    return judged.quality.score


def test_the_score_learns_what_predicts_a_match(weights: QualityWeights) -> None:
    assert score(weights, 0.02) < 0.3
    assert score(weights, 0.28) > 0.7


def test_a_term_that_is_the_same_for_all_probes_has_no_weight(weights: QualityWeights) -> None:
    assert weights.detection_score == 0


def test_the_weights_say_what_they_were_fitted_on(weights: QualityWeights) -> None:
    assert weights.fitted_on == "400 degraded photographs of 400 people of people"
    assert weights.minimum == MINIMUM
    assert len(weights.embedding) == DIMENSION


def test_the_output_is_a_table_of_the_catalogue(weights: QualityWeights) -> None:
    table = tomllib.loads(toml_table("sface", "quality", weights))["models"]["sface"]["quality"]
    assert QualityWeights.model_validate(table) == weights


def test_pairs_that_do_not_match_before_they_are_degraded_are_left_out() -> None:
    pairs = made_pairs(400)
    stranger = embedded(np.random.default_rng(3).normal(size=DIMENSION), 0.2)
    mislabelled = [replace(pair, sharp=stranger) if pair.person < 100 else pair for pair in pairs]
    assert fit_quality(mislabelled, "people").fitted_on.startswith("300 degraded photographs of 300 people")


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(DatasetError, match="too few"):
        fit_quality(made_pairs(15), "people")
