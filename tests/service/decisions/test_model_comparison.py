import pytest

from service.decisions.model_comparison import compare_models
from service.domain.errors import ModelMismatch
from service.gallery.base import EmbeddingModel
from service.model_files.card import EmbedderCard

LOADED, OLD, OLDER, OTHER = (EmbeddingModel(letter * 64, 4) for letter in "abcd")


def compatible_model_fields(model: EmbeddingModel, threshold_sq_l2: float) -> dict[str, object]:
    return {
        "name": model.id[:1],
        "id": model.id,
        "thresholds": {"verification": threshold_sq_l2, "chosen_on": "nobody"},
        "error_rates": [
            {
                "threshold_sq_l2": threshold_sq_l2,
                "fmr": 0.1,
                "fnmr": 0.1,
                "non_mated_pairs": 10,
                "mated_pairs": 10,
                "measured_on": "nobody",
            }
        ],
    }


CARD = EmbedderCard.model_validate(
    {
        "name": "loaded",
        "id": LOADED.id,
        "architecture": "none",
        "licence": "none",
        "training": "none",
        "dimension": 4,
        "alignment": {"kind": "five_point", "view": [0, 0, 112, 112], "height": 16, "width": 16},
        "compatible_with": [compatible_model_fields(OLD, 1.1), compatible_model_fields(OLDER, 1.2)],
    }
)


def test_two_embeddings_of_the_loaded_model_are_compared_at_its_own_thresholds() -> None:
    comparison = compare_models(CARD, LOADED, LOADED)
    assert (comparison.thresholds, comparison.compatible_model) == (CARD.thresholds, None)


@pytest.mark.parametrize(("other", "position"), [(OLD, 0), (OLDER, 1)])
def test_the_loaded_and_a_compatible_model_are_compared_at_the_thresholds_between_them(
    other: EmbeddingModel, position: int
) -> None:
    compatible_model = CARD.compatible_with[position]
    for comparison in (compare_models(CARD, LOADED, other), compare_models(CARD, other, LOADED)):
        assert comparison.thresholds is compatible_model.thresholds
        assert comparison.compatible_model is compatible_model


@pytest.mark.parametrize(
    ("probe", "reference"),
    [(OLD, OLD), (OLD, OLDER), (OTHER, LOADED), (LOADED, OTHER), (OTHER, OTHER), (OLD, OTHER)],
)
def test_other_pairs_of_models_are_refused(probe: EmbeddingModel, reference: EmbeddingModel) -> None:
    with pytest.raises(ModelMismatch):
        compare_models(CARD, probe, reference)
