from pathlib import Path
from typing import Any

import onnx
import pytest
from pydantic import ValidationError

from models.conversion.card import CARD_KEY
from models.zoo.catalogue import read_zoo
from service.model_files.card import CARD_ADAPTER, EmbedderCard
from tests.support.calibrations import calibration_fields

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
ERROR_RATE: dict[str, Any] = {
    "threshold_sq_l2": 1.1,
    "fmr": 1e-4,
    "fnmr": 0.02,
    "non_mated_pairs": 1_000_000,
    "mated_pairs": 5_000,
    "measured_on": "nobody",
}
COMPATIBLE_MODEL: dict[str, Any] = {
    "name": "old",
    "id": "a" * 64,
    "thresholds": {"verification": 1.1, "chosen_on": "nobody"},
    "error_rates": [ERROR_RATE],
}


def card(**fields: Any) -> EmbedderCard:
    return EmbedderCard.model_validate(FIELDS | fields)


def test_the_card_of_each_model_of_the_catalogue_is_written_as_it_was_read(models_dir: Path) -> None:
    for name in read_zoo().models:
        text = next(
            entry.value for entry in onnx.load(models_dir / f"{name}.onnx").metadata_props if entry.key == CARD_KEY
        )
        assert CARD_ADAPTER.validate_json(text).model_dump_json() == text


def test_every_field_of_a_written_card_is_read_again() -> None:
    card_with_all_fields = card(
        error_rates=[ERROR_RATE], compatible_with=[COMPATIBLE_MODEL], calibration=calibration_fields()
    )
    assert CARD_ADAPTER.validate_json(card_with_all_fields.model_dump_json()) == card_with_all_fields


def test_an_empty_field_of_a_card_is_not_written() -> None:
    text = card().model_dump_json()
    assert "error_rates" not in text
    assert "compatible_with" not in text
    assert "calibration" not in text


def test_a_compatible_model_is_found_by_its_id() -> None:
    card_with_model = card(compatible_with=[COMPATIBLE_MODEL])
    compatible_model = card_with_model.compatible_model("a" * 64)
    assert compatible_model is card_with_model.compatible_with[0]
    assert card_with_model.compatible_model("c" * 64) is None
    assert card_with_model.compatible_model(card_with_model.id) is None


@pytest.mark.parametrize("missing", ["name", "id", "thresholds", "error_rates"])
def test_a_compatible_model_has_all_fields(missing: str) -> None:
    partial = {name: value for name, value in COMPATIBLE_MODEL.items() if name != missing}
    with pytest.raises(ValidationError, match=missing):
        card(compatible_with=[partial])


@pytest.mark.parametrize("missing", ["verification", "chosen_on"])
def test_the_threshold_between_two_models_has_no_default(missing: str) -> None:
    thresholds = {name: value for name, value in COMPATIBLE_MODEL["thresholds"].items() if name != missing}
    with pytest.raises(ValidationError, match=missing):
        card(compatible_with=[COMPATIBLE_MODEL | {"thresholds": thresholds}])


def test_an_error_rate_between_two_models_is_at_their_threshold() -> None:
    other_threshold = COMPATIBLE_MODEL | {"error_rates": [ERROR_RATE | {"threshold_sq_l2": 1.0}]}
    with pytest.raises(ValidationError, match=r"must be at thresholds\.verification"):
        card(compatible_with=[other_threshold])
    (compatible_model,) = card(
        compatible_with=[COMPATIBLE_MODEL | {"error_rates": [ERROR_RATE, ERROR_RATE | {"threshold_sq_l2": 1.0}]}]
    ).compatible_with
    assert len(compatible_model.error_rates) == 2


@pytest.mark.parametrize(
    "entries", [[COMPATIBLE_MODEL | {"id": "b" * 64}], [COMPATIBLE_MODEL, COMPATIBLE_MODEL | {"name": "again"}]]
)
def test_a_card_names_each_compatible_model_once_and_never_itself(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError, match="must name other models, each once"):
        card(compatible_with=entries)


@pytest.mark.parametrize(
    "invalid_field", [{"fmr": 1.1}, {"fnmr": -0.1}, {"non_mated_pairs": 0}, {"mated_pairs": 0}, {"threshold_sq_l2": 5}]
)
def test_an_invalid_error_rate_is_refused(invalid_field: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(invalid_field))):
        card(error_rates=[ERROR_RATE | invalid_field])
