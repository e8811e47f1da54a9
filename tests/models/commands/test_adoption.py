"""`facenet-models adopt`, and how a model of one's own is found by its name."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.commands.app import app
from models.conversion.card import read_checked_card
from models.errors import AdoptionRefused
from service.model_files.card import EmbedderCard
from tests.models.release.adoption.conftest import Publication
from tests.support.published_sface import few_people, publish_sface

OPTIONS = ("--name", "theirs", "--colour", "rgb", "--alignment", "five_point", "--licence", "MIT")


def adopt(*arguments: str) -> str:
    """Run the command, and return what it prints. An error of the command is raised."""
    result = CliRunner().invoke(app, ["adopt", *arguments], catch_exceptions=False)
    if result.exit_code:
        raise AssertionError(result.output)
    return result.output


def test_numbers_that_are_none_are_refused_before_the_photographs_are_read(tmp_path: Path) -> None:
    file = str(Publication().write(tmp_path / "published.onnx"))
    with pytest.raises(AssertionError, match="--mean takes numbers"):
        adopt(file, str(tmp_path), *OPTIONS, "--mean", "half", "--std", "128")


def test_a_range_from_0_to_1_is_refused_before_the_photographs_are_read(tmp_path: Path) -> None:
    file = str(Publication().write(tmp_path / "published.onnx"))
    with pytest.raises(AdoptionRefused, match="Multiply them by 255"):
        adopt(file, str(tmp_path), *OPTIONS, "--mean", "0.5", "--std", "0.5")


@pytest.mark.parametrize(("name", "reason"), [("sface", "the catalogue has a model"), ("../theirs", "has no slash")])
def test_a_name_that_is_taken_or_leads_to_another_folder_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    file = str(Publication().write(tmp_path / "published.onnx"))
    with pytest.raises(AdoptionRefused, match=reason):
        adopt(file, str(tmp_path), *OPTIONS, "--mean", "0", "--std", "1", "--name", name, "--into", str(tmp_path))
    assert list(tmp_path.iterdir()) == [tmp_path / "published.onnx"]


def test_what_is_not_said_is_asked_for(tmp_path: Path) -> None:
    file = str(Publication().write(tmp_path / "published.onnx"))
    answers = "theirs\n0.5\n0.5\nrgb\nfive_point\nMIT\n"
    result = CliRunner().invoke(app, ["adopt", file, str(tmp_path)], input=answers)
    for question in ("Name of the model", "Mean that is subtracted", "Order of the colours", "Alignment", "Licence"):
        assert question in result.output
    assert isinstance(result.exception, AdoptionRefused)


def test_a_file_of_ones_own_is_kept_by_pull(tmp_path: Path) -> None:
    own = tmp_path / "theirs.onnx"
    own.write_bytes(b"mine")
    result = CliRunner().invoke(app, ["pull", "theirs", "--into", str(tmp_path)], catch_exceptions=False)
    assert result.output.strip() == str(own)
    assert own.read_bytes() == b"mine"


@pytest.mark.slow
def test_the_published_sface_is_adopted_with_photographs_of_lfw(models_dir: Path, lfw: Path, tmp_path: Path) -> None:
    """Its published form: float32 in 0 to 255, one face at a time."""
    people = few_people(lfw, tmp_path / "people")
    published = publish_sface(models_dir, tmp_path / "published.onnx")
    numbers = ("--mean", "0", "--std", "1", "--references", "50", "--into", str(tmp_path / "out"))
    output = adopt(str(published), str(people), *OPTIONS, *numbers)
    card = read_checked_card(tmp_path / "out" / "theirs.onnx")
    assert isinstance(card, EmbedderCard)
    assert f"threshold of verification {card.thresholds.verification:g}" in output
    assert card.thresholds.verification == pytest.approx(1.242, abs=0.1)
    assert card.calibration is not None
    assert np.isclose(card.calibration.people, 150, atol=2)
