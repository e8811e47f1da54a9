from pathlib import Path

import pytest
from pydantic import ValidationError

from models.calibration import METHODS
from models.conversion import CONVERTERS
from models.errors import UnknownModel
from models.evaluation.metrics import FACENET_THRESHOLD
from models.files import has
from models.zoo import TRAINED, read_zoo
from service.card import CARD


def test_the_nearest_model_is_named() -> None:
    with pytest.raises(UnknownModel, match=r"no model sfase; did you mean sface\? There are sface, yunet"):
        read_zoo().entry("sfase")


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    with pytest.raises(UnknownModel, match="The zoo has no model quux; There are sface"):
        read_zoo().entry("quux")


def test_every_model_has_a_card_and_a_converter_or_was_trained_here() -> None:
    zoo = read_zoo()

    assert {name for name, entry in zoo.models.items() if entry.source} == set(CONVERTERS)
    for name, entry in zoo.models.items():
        assert CARD.validate_python({**entry.card, "id": "0" * 64}).name == name


def test_what_was_trained_here_is_small_and_lies_in_its_file_as_pull_writes_it() -> None:
    trained = {name: entry for name, entry in read_zoo().models.items() if not entry.source}

    assert {file.stem for file in TRAINED.iterdir()} == set(trained)
    for name, entry in trained.items():
        file = TRAINED / f"{name}.onnx"
        assert has(file, entry.sha256)
        assert file.stat().st_size <= 10_000_000
        assert "research only" in entry.card["licence"]


def test_every_embedder_says_how_often_it_errs_at_its_threshold_and_at_facenet_s() -> None:
    for entry in read_zoo().models.values():
        card = CARD.validate_python({**entry.card, "id": "0" * 64})
        if card.role == "embedder":
            measured = [rate.threshold_sq_l2 for rate in card.error_rates]
            assert measured[0] == card.thresholds.verification
            assert FACENET_THRESHOLD in measured


def test_every_embedder_says_how_its_thresholds_were_chosen() -> None:
    for entry in read_zoo().models.values():
        card = CARD.validate_python({**entry.card, "id": "0" * 64})
        if card.role == "embedder":
            assert card.thresholds.identification is not None
            assert set(card.thresholds.clustering) == set(METHODS)
            assert "LFW" in card.thresholds.chosen_on
            assert card.results


def test_photographs_lie_in_a_folder_of_identities() -> None:
    assert all(len(Path(name).parts) == 2 for name in read_zoo().photographs)


def test_a_zoo_with_an_unknown_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "zoo.toml"
    file.write_text("[models]\n[photographs]\n[people]\n", "utf-8")

    with pytest.raises(ValidationError, match="people"):
        read_zoo(file)
