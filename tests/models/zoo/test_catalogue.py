from pathlib import Path

import pytest
from pydantic import ValidationError

from models.conversion import CONVERTERS
from models.errors import UnknownModel
from models.files import has_sha256
from models.zoo.catalogue import TRAINED_MODELS, read_zoo
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.model_files.card import CARD_ADAPTER, EmbedderCard


def _embedder_cards() -> list[EmbedderCard]:
    cards = [CARD_ADAPTER.validate_python({**entry.card, "id": "0" * 64}) for entry in read_zoo().models.values()]
    return [card for card in cards if card.role == "embedder"]


def test_an_unknown_name_is_refused_with_the_most_similar_name() -> None:
    with pytest.raises(UnknownModel, match=r"no model sfase\. Did you mean sface\? The known names are sface, yunet"):
        read_zoo().entry("sfase")


def test_an_unknown_name_gets_no_hint_if_no_name_is_similar() -> None:
    with pytest.raises(UnknownModel, match=r"The catalogue has no model quux\. The known names are sface"):
        read_zoo().entry("quux")


def test_every_model_has_a_card_and_a_converter_or_was_trained_here() -> None:
    zoo = read_zoo()

    assert {name for name, entry in zoo.models.items() if entry.source} == set(CONVERTERS)
    for name, entry in zoo.models.items():
        assert CARD_ADAPTER.validate_python({**entry.card, "id": "0" * 64}).name == name


def test_a_model_that_was_trained_here_is_small_and_its_file_has_the_sha256_of_the_catalogue() -> None:
    trained = {name: entry for name, entry in read_zoo().models.items() if not entry.source}

    assert {file.stem for file in TRAINED_MODELS.glob("*.onnx")} == set(trained)
    for name, entry in trained.items():
        file = TRAINED_MODELS / f"{name}.onnx"
        assert has_sha256(file, entry.sha256)
        assert file.stat().st_size <= 10_000_000
        assert "research only" in entry.card["licence"]


def test_every_embedder_has_error_rates_at_its_own_threshold_and_at_that_of_facenet() -> None:
    for card in _embedder_cards():
        measured_at = [rate.threshold_sq_l2 for rate in card.error_rates]
        assert measured_at[0] == card.thresholds.verification
        assert FACENET_THRESHOLD_SQ_L2 in measured_at


def test_every_embedder_has_measured_thresholds_and_the_data_that_they_were_chosen_on() -> None:
    for card in _embedder_cards():
        assert card.thresholds.identification is not None
        assert card.clustering is not None
        assert "LFW" in card.clustering.measured_on
        assert "LFW" in card.thresholds.chosen_on
        assert card.results


def test_a_catalogue_with_an_unknown_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text("[models]\n[people]\n", "utf-8")

    with pytest.raises(ValidationError, match="people"):
        read_zoo(file)
