from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from models import calibration, cross_calibration
from models.calibration import SEED, Faces
from models.conversion.card import KEY, check, with_card
from models.cross_calibration import Both
from models.errors import DatasetError, InvalidModel
from models.evaluation.identities import read_identities
from service.card import CARD, EmbedderCard
from service.distances import squared_l2, unit
from service.pipeline import ModelSource, PipelineOptions


def faces(people: int, each: int, spread: float, seed: int) -> Faces:
    """Photographs that lie around their people, in 16 dimensions. The people are the same for every seed."""
    centres = np.repeat(np.random.default_rng(99).normal(size=(people, 16)), each, axis=0)
    noise = np.random.default_rng(seed).normal(size=centres.shape)
    return Faces(unit((centres + spread * noise).astype(np.float32)), np.repeat(np.arange(people), each), 0)


@pytest.fixture
def both() -> Both:
    return Both(faces(120, 4, 1.0, seed=1), faces(120, 4, 0.6, seed=2), "made up")


@pytest.fixture
def old(options: PipelineOptions) -> EmbedderCard:
    card = check(options.embedder.path)
    assert isinstance(card, EmbedderCard)
    return card


def fmr(probes: Faces, gallery: Faces, d: float) -> float:
    """Slowly, one probe after the other."""
    accepted: list[bool] = []
    for person, probe in zip(probes.people, probes.embeddings, strict=True):
        accepted += (squared_l2(probe[np.newaxis], gallery.embeddings)[0, gallery.people != person] < d).tolist()
    return float(np.mean(accepted))


def test_the_threshold_takes_strangers_for_one_person_no_more_often_than_the_old_model_does(
    both: Both, old: EmbedderCard
) -> None:
    found = cross_calibration.compatible(old, both, references=50, fpir=0.05)

    d = found.thresholds.verification
    allowed = fmr(both.old, both.old, old.thresholds.verification)
    assert 0.9 * allowed < fmr(both.new, both.old, d) <= allowed < fmr(both.new, both.old, d + 0.002)
    assert d == round(d, 3)
    assert found.error_rates == (calibration.error_rate(both.new, both.old, d, "made up"),)
    assert found.error_rates[0].fmr == pytest.approx(fmr(both.new, both.old, d))


def test_a_copy_of_a_model_has_the_thresholds_of_the_model(old: EmbedderCard) -> None:
    theirs = faces(300, 4, 0.8, seed=1)
    found = cross_calibration.compatible(old, Both(theirs, theirs, "made up"), references=200, fpir=0.02)

    identification = calibration.identification_threshold(theirs, theirs, 200, 0.02, np.random.default_rng(SEED))
    assert found.thresholds.verification == pytest.approx(old.thresholds.verification, abs=0.002)
    assert found.thresholds.identification is not None
    assert found.thresholds.identification.threshold_sq_l2 == pytest.approx(identification, abs=0.001)


def test_the_identification_threshold_holds_whichever_of_the_two_made_the_probe(both: Both, old: EmbedderCard) -> None:
    found = cross_calibration.compatible(old, both, references=50, fpir=0.05).thresholds.identification

    ways = [
        calibration.identification_threshold(*way, 50, 0.05, np.random.default_rng(SEED))
        for way in ((both.new, both.old), (both.old, both.new))
    ]
    assert found is not None
    assert ways[0] != ways[1]
    assert min(ways) - 0.001 < found.threshold_sq_l2 <= min(ways)
    assert (found.references, found.fpir) == (50, 0.05)


def test_too_few_people_are_refused(both: Both, old: EmbedderCard) -> None:
    with pytest.raises(DatasetError, match="120 references need more people than that; there are 120"):
        cross_calibration.compatible(old, both, references=120, fpir=0.01)


def test_two_models_are_given_the_same_photographs() -> None:
    with pytest.raises(DatasetError, match="not given the same photographs"):
        Both(faces(10, 4, 1.0, seed=1), faces(10, 3, 1.0, seed=1), "made up")


def test_what_is_measured_stands_in_the_new_model_s_card(
    options: PipelineOptions, old: EmbedderCard, photographs: Path, tmp_path: Path
) -> None:
    model = onnx.load(options.embedder.path)
    fields = CARD.validate_json(next(one.value for one in model.metadata_props if one.key == KEY)).model_dump()
    model.graph.node[0].name = "new"
    file = tmp_path / "new.onnx"
    file.write_bytes(with_card(model, fields | {"name": "new"}))
    identities = read_identities(photographs, calibration.PROBES_PER_PERSON)
    embedded: list[None] = []

    both = cross_calibration.embed_both(
        options, replace(options, embedder=ModelSource(file)), identities, "a folder", lambda: embedded.append(None)
    )
    entry = cross_calibration.compatible(old, both, references=2, fpir=0.01)
    file.write_bytes(with_card(model, fields | {"name": "new", "compatible_with": [entry.model_dump()]}))

    assert len(embedded) == 2 * len(identities.files)
    np.testing.assert_allclose(both.new.embeddings, both.old.embeddings, atol=1e-5)
    assert both.measured_on.endswith("photographs of 3 people of a folder")
    card = check(file)
    assert isinstance(card, EmbedderCard)
    assert card.compatible(old.id) == entry


def test_models_of_two_dimensions_are_refused(options: PipelineOptions, models_dir: Path, photographs: Path) -> None:
    facenet = replace(options, embedder=ModelSource(models_dir / "facenet.onnx"))
    with pytest.raises(InvalidModel, match="sface has 128 dimensions and facenet has 512"):
        cross_calibration.embed_both(options, facenet, read_identities(photographs, 1), "a folder", lambda: None)


def test_models_that_agree_at_no_threshold_are_not_called_compatible(old: EmbedderCard) -> None:
    apart = faces(120, 4, 0.01, seed=1)
    somebody_else = Faces(np.roll(apart.embeddings, 4, axis=0), apart.people, 0)
    strict = old.model_copy(update={"thresholds": old.thresholds.model_copy(update={"verification": 0.01})})
    with pytest.raises(DatasetError, match="not compatible"):
        cross_calibration.compatible(strict, Both(apart, somebody_else, "made up"), references=50, fpir=0.05)
