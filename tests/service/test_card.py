from pathlib import Path
from typing import Any

import onnx
import pytest
from pydantic import ValidationError

from models.conversion.card import KEY
from models.zoo import read_zoo
from service.card import CARD, EmbedderCard

FIELDS: dict[str, Any] = {
    "name": "new",
    "id": "b" * 64,
    "role": "embedder",
    "architecture": "none",
    "licence": "none",
    "training": "none",
    "dimension": 4,
    "alignment": {"kind": "five_point", "view": [0, 0, 112, 112], "height": 16, "width": 16},
}
RATE: dict[str, Any] = {
    "threshold_sq_l2": 1.1,
    "fmr": 1e-4,
    "fnmr": 0.02,
    "impostor_pairs": 1_000_000,
    "genuine_pairs": 5_000,
    "measured_on": "nobody",
}
COMPATIBLE: dict[str, Any] = {
    "name": "old",
    "id": "a" * 64,
    "thresholds": {"verification": 1.1, "chosen_on": "nobody"},
    "error_rates": [RATE],
}


def card(**fields: Any) -> EmbedderCard:
    return EmbedderCard.model_validate(FIELDS | fields)


def test_a_card_of_the_zoo_is_written_as_its_file_has_it(models_dir: Path) -> None:
    for name in read_zoo().models:
        text = next(one.value for one in onnx.load(models_dir / f"{name}.onnx").metadata_props if one.key == KEY)
        assert CARD.validate_json(text).model_dump_json() == text


def test_what_a_card_has_is_read_back() -> None:
    full = card(error_rates=[RATE], compatible_with=[COMPATIBLE])
    assert CARD.validate_json(full.model_dump_json()) == full


def test_what_a_card_has_not_is_not_written() -> None:
    text = card().model_dump_json()
    assert "error_rates" not in text
    assert "compatible_with" not in text


def test_a_compatible_model_is_found_by_its_identity() -> None:
    full = card(compatible_with=[COMPATIBLE])
    found = full.compatible("a" * 64)
    assert found is full.compatible_with[0]
    assert full.compatible("c" * 64) is None
    assert full.compatible(full.id) is None


@pytest.mark.parametrize("missing", ["name", "id", "thresholds", "error_rates"])
def test_a_compatible_model_is_known_whole(missing: str) -> None:
    partial = {name: value for name, value in COMPATIBLE.items() if name != missing}
    with pytest.raises(ValidationError, match=missing):
        card(compatible_with=[partial])


@pytest.mark.parametrize("missing", ["verification", "chosen_on"])
def test_a_threshold_between_two_models_is_measured_and_never_a_default(missing: str) -> None:
    thresholds = {name: value for name, value in COMPATIBLE["thresholds"].items() if name != missing}
    with pytest.raises(ValidationError, match=missing):
        card(compatible_with=[COMPATIBLE | {"thresholds": thresholds}])


def test_the_error_rates_between_two_models_are_at_their_threshold() -> None:
    elsewhere = COMPATIBLE | {"error_rates": [RATE | {"threshold_sq_l2": 1.0}]}
    with pytest.raises(ValidationError, match=r"must be at thresholds\.verification"):
        card(compatible_with=[elsewhere])
    (entry,) = card(
        compatible_with=[COMPATIBLE | {"error_rates": [RATE, RATE | {"threshold_sq_l2": 1.0}]}]
    ).compatible_with
    assert len(entry.error_rates) == 2


@pytest.mark.parametrize("entries", [[COMPATIBLE | {"id": "b" * 64}], [COMPATIBLE, COMPATIBLE | {"name": "again"}]])
def test_a_model_is_compatible_with_others_once_each(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError, match="must name other models, each once"):
        card(compatible_with=entries)


@pytest.mark.parametrize(
    "wrong", [{"fmr": 1.1}, {"fnmr": -0.1}, {"impostor_pairs": 0}, {"genuine_pairs": 0}, {"threshold_sq_l2": 5}]
)
def test_an_error_rate_is_a_share_of_so_many_pairs(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        card(error_rates=[RATE | wrong])
