import pytest

from service.card import EmbedderCard
from service.decisions.comparison import compare
from service.errors import ModelMismatch
from service.galleries.base import ModelRef

LOADED, OLD, OLDER, OTHER = (ModelRef(letter * 64, 4) for letter in "abcd")


def entry(model: ModelRef, threshold_sq_l2: float) -> dict[str, object]:
    return {
        "name": model.id[:1],
        "id": model.id,
        "thresholds": {"verification": threshold_sq_l2, "chosen_on": "nobody"},
        "error_rates": [
            {
                "threshold_sq_l2": threshold_sq_l2,
                "fmr": 0.1,
                "fnmr": 0.1,
                "impostor_pairs": 10,
                "genuine_pairs": 10,
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
        "compatible_with": [entry(OLD, 1.1), entry(OLDER, 1.2)],
    }
)


def test_two_of_the_loaded_model_meet_at_its_own_thresholds() -> None:
    found = compare(CARD, LOADED, LOADED)
    assert (found.thresholds, found.other) == (CARD.thresholds, None)


@pytest.mark.parametrize(("other", "position"), [(OLD, 0), (OLDER, 1)])
def test_the_loaded_model_meets_a_compatible_one_at_the_thresholds_between_them(other: ModelRef, position: int) -> None:
    of_the_two = CARD.compatible_with[position]
    for found in (compare(CARD, LOADED, other), compare(CARD, other, LOADED)):
        assert found.thresholds is of_the_two.thresholds
        assert found.other is of_the_two


@pytest.mark.parametrize(
    ("probe", "reference"),
    [(OLD, OLD), (OLD, OLDER), (OTHER, LOADED), (LOADED, OTHER), (OTHER, OTHER), (OLD, OTHER)],
)
def test_nothing_else_is_compared(probe: ModelRef, reference: ModelRef) -> None:
    with pytest.raises(ModelMismatch):
        compare(CARD, probe, reference)
