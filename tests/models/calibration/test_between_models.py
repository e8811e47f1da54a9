from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.calibration.between_models import EmbeddedByBoth, calibrate_between, embed_both
from models.calibration.thresholds import (
    PROBES_PER_PERSON,
    SEED,
    LabelledEmbeddings,
    cross_error_rate,
    find_identification_threshold,
)
from models.conversion.card import CARD_KEY, read_checked_card, to_bytes_with_card
from models.errors import DatasetError, InvalidModel
from models.evaluation.data.identities import read_identities
from service.domain.distances import squared_l2, unit
from service.model_files.card import CARD_ADAPTER, EmbedderCard
from service.model_files.catalogue import ModelSource
from service.pipeline.opening import PipelineOptions

pytestmark = pytest.mark.slow


def embeddings(people: int, photographs: int, spread: float, seed: int) -> LabelledEmbeddings:
    """Return embeddings near the centres of their people, in 16 dimensions. Every seed has the same centres."""
    centres = np.repeat(np.random.default_rng(99).normal(size=(people, 16)), photographs, axis=0)
    noise = np.random.default_rng(seed).normal(size=centres.shape)
    vectors = unit((centres + spread * noise).astype(np.float32))
    return LabelledEmbeddings(vectors, np.repeat(np.arange(people), photographs), 0)


@pytest.fixture
def both() -> EmbeddedByBoth:
    return EmbeddedByBoth(embeddings(120, 4, 1.0, seed=1), embeddings(120, 4, 0.6, seed=2), "made up")


@pytest.fixture
def old(options: PipelineOptions) -> EmbedderCard:
    card = read_checked_card(options.embedder.path)
    assert isinstance(card, EmbedderCard)
    return card


def fmr(probes: LabelledEmbeddings, gallery: LabelledEmbeddings, threshold_sq_l2: float) -> float:
    """Return the FMR in a slow and simple way: one probe after the other."""
    accepted: list[bool] = []
    for person, probe in zip(probes.people, probes.embeddings, strict=True):
        distances = squared_l2(probe[np.newaxis], gallery.embeddings)[0, gallery.people != person]
        accepted += (distances < threshold_sq_l2).tolist()
    return float(np.mean(accepted))


def test_between_the_models_the_fmr_is_at_most_that_of_the_old_model(both: EmbeddedByBoth, old: EmbedderCard) -> None:
    entry = calibrate_between(old, both, both, references=50, fpir=0.05)

    threshold = entry.thresholds.verification
    allowed = fmr(both.old, both.old, old.thresholds.verification)
    assert 0.9 * allowed < fmr(both.new, both.old, threshold) <= allowed < fmr(both.new, both.old, threshold + 0.002)
    assert threshold == round(threshold, 3)
    assert entry.error_rates == (cross_error_rate(both.new, both.old, threshold, "made up"),)
    assert entry.error_rates[0].fmr == pytest.approx(fmr(both.new, both.old, threshold))


def test_a_copy_of_a_model_has_the_thresholds_of_the_model(old: EmbedderCard) -> None:
    faces = embeddings(300, 4, 0.8, seed=1)
    both = EmbeddedByBoth(faces, faces, "made up")

    entry = calibrate_between(old, both, both, references=200, fpir=0.02)

    identification = find_identification_threshold(faces, faces, 200, 0.02, np.random.default_rng(SEED))
    assert entry.thresholds.verification == pytest.approx(old.thresholds.verification, abs=0.002)
    assert entry.thresholds.identification is not None
    assert entry.thresholds.identification.threshold_sq_l2 == pytest.approx(identification, abs=0.001)


def test_the_identification_threshold_is_the_lower_of_the_two_directions(
    both: EmbeddedByBoth, old: EmbedderCard
) -> None:
    identification = calibrate_between(old, both, both, references=50, fpir=0.05).thresholds.identification

    of_directions = [
        find_identification_threshold(probes, gallery, 50, 0.05, np.random.default_rng(SEED))
        for probes, gallery in ((both.new, both.old), (both.old, both.new))
    ]
    assert identification is not None
    assert of_directions[0] != of_directions[1]
    assert min(of_directions) - 0.001 < identification.threshold_sq_l2 <= min(of_directions)
    assert (identification.references, identification.fpir) == (50, 0.05)


def test_the_error_rates_can_be_measured_on_other_photographs(both: EmbeddedByBoth, old: EmbedderCard) -> None:
    others = EmbeddedByBoth(embeddings(80, 4, 0.8, seed=3), embeddings(80, 4, 0.9, seed=4), "other people")

    entry = calibrate_between(old, both, others, references=50, fpir=0.05)

    assert entry.thresholds == calibrate_between(old, both, both, references=50, fpir=0.05).thresholds
    threshold = entry.thresholds.verification
    assert entry.error_rates == (cross_error_rate(others.new, others.old, threshold, "other people"),)


def test_the_halves_have_different_people_and_together_all_people(both: EmbeddedByBoth) -> None:
    halves = both.split_people()

    people = [set(half.new.people.tolist()) for half in halves]
    assert people[0].isdisjoint(people[1])
    assert people[0] | people[1] == set(both.new.people.tolist())
    assert sum(len(half.old.people) for half in halves) == len(both.old.people)
    assert [half.measured_on for half in halves] == ["240 faces of 60 people out of made up"] * 2


def test_too_few_people_are_refused(both: EmbeddedByBoth, old: EmbedderCard) -> None:
    with pytest.raises(DatasetError, match="120 references need more than 120 people; there are 120"):
        calibrate_between(old, both, both, references=120, fpir=0.01)


def test_two_models_need_the_same_photographs() -> None:
    with pytest.raises(DatasetError, match="not given the same photographs"):
        EmbeddedByBoth(embeddings(10, 4, 1.0, seed=1), embeddings(10, 3, 1.0, seed=1), "made up")


def test_the_entry_can_be_written_to_the_card_of_the_new_model(
    options: PipelineOptions, old: EmbedderCard, photographs: Path, tmp_path: Path
) -> None:
    model = onnx.load(options.embedder.path)
    text = next(entry.value for entry in model.metadata_props if entry.key == CARD_KEY)
    fields = CARD_ADAPTER.validate_json(text).model_dump()
    model.graph.node[0].name = "new"
    file = tmp_path / "new.onnx"
    file.write_bytes(to_bytes_with_card(model, fields | {"name": "new"}))
    identities = read_identities(photographs, PROBES_PER_PERSON)
    embedded: list[None] = []

    both = embed_both(
        options, replace(options, embedder=ModelSource(file)), identities, "a folder", lambda: embedded.append(None)
    )
    entry = calibrate_between(old, both, both, references=2, fpir=0.01)
    file.write_bytes(to_bytes_with_card(model, fields | {"name": "new", "compatible_with": [entry.model_dump()]}))

    assert len(embedded) == 2 * len(identities.files)
    np.testing.assert_allclose(both.new.embeddings, both.old.embeddings, atol=1e-5)
    assert both.measured_on.endswith("photographs of 3 people of a folder")
    card = read_checked_card(file)
    assert isinstance(card, EmbedderCard)
    assert card.compatible_model(old.id) == entry


def test_models_of_different_dimensions_are_refused(
    options: PipelineOptions, models_dir: Path, photographs: Path
) -> None:
    facenet = replace(options, embedder=ModelSource(models_dir / "facenet.onnx"))
    with pytest.raises(InvalidModel, match="sface has 128 dimensions and facenet has 512"):
        embed_both(options, facenet, read_identities(photographs, 1), "a folder", lambda: None)


def test_models_that_agree_at_no_threshold_are_not_compatible(old: EmbedderCard) -> None:
    apart = embeddings(120, 4, 0.01, seed=1)
    of_other_people = LabelledEmbeddings(np.roll(apart.embeddings, 4, axis=0), apart.people, 0)
    strict = old.model_copy(update={"thresholds": old.thresholds.model_copy(update={"verification": 0.01})})
    both = EmbeddedByBoth(apart, of_other_people, "made up")
    with pytest.raises(DatasetError, match="not compatible"):
        calibrate_between(strict, both, both, references=50, fpir=0.05)
