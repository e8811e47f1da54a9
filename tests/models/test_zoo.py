from pathlib import Path

import pytest
from pydantic import ValidationError

from models.calibration import METHODS
from models.conversion import CONVERTERS
from models.errors import UnknownModel
from models.zoo import read_zoo
from service.card import CARD


def test_the_nearest_model_is_named() -> None:
    with pytest.raises(UnknownModel, match=r"no model sfase; did you mean sface\? There are sface, yunet"):
        read_zoo().entry("sfase")


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    with pytest.raises(UnknownModel, match="The zoo has no model quux; There are sface"):
        read_zoo().entry("quux")


def test_every_model_has_a_converter_and_a_card() -> None:
    zoo = read_zoo()

    assert set(zoo.models) == set(CONVERTERS)
    for name, entry in zoo.models.items():
        assert CARD.validate_python({**entry.card, "id": "0" * 64}).name == name


def test_every_embedder_says_how_its_thresholds_were_chosen() -> None:
    for entry in read_zoo().models.values():
        card = CARD.validate_python({**entry.card, "id": "0" * 64})
        if card.role == "embedder":
            assert card.thresholds.verification == 1.242
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
