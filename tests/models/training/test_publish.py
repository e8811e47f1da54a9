"""From a run to the file that serves, and to one in fewer bits: both measured on people whom it was not trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.conversion.card import check
from models.errors import DatasetError, ExportRefused, TrainingError
from models.faces import FaceSet
from models.training.publish import publish
from models.training.shrink import Shrinking, shrink
from models.training.train import CHECKPOINT
from service.card import BoxCrop, EmbedderCard
from tests.models.sets import write_set
from tests.models.training.tiny import TINY, run

FIELDS = {"licence": "for research only", "thresholds": {"verification": 1.1}}


@pytest.fixture(scope="module")
def data(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_set(folder, faces, [range(len(faces))], {})
    return folder


@pytest.fixture(scope="module")
def checkpoint(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run(TINY, faces, folder)
    return folder / CHECKPOINT


@pytest.fixture(scope="module")
def published(checkpoint: Path, data: Path) -> Path:
    path = checkpoint.parent / "mine.onnx"
    publish(checkpoint, data, path, FIELDS)
    return path


def test_the_card_says_what_the_network_does_on_people_held_out(published: Path) -> None:
    card = check(published)
    assert isinstance(card, EmbedderCard)
    assert card.training == "recipe tiny of this project, 4 steps of 16 faces"
    assert card.thresholds.verification == 1.1
    (rate,) = card.error_rates
    assert rate.measured_on == "16 faces of 2 people of the training set who were held out"
    assert (rate.genuine_pairs, rate.impostor_pairs) == (2 * 28, 64)


def test_a_set_that_people_were_added_to_says_nothing_of_people_held_out(
    checkpoint: Path, faces: FaceSet, tmp_path: Path
) -> None:
    more = FaceSet(faces.canvases, faces.people + 1, faces.sources, ("another", *faces.names), faces.source_names)
    write_set(tmp_path, more, [range(len(more))], {})
    with pytest.raises(TrainingError, match="begun on other faces"):
        publish(checkpoint, tmp_path, tmp_path / "mine.onnx", FIELDS)
    assert not (tmp_path / "mine.onnx").exists()


def test_a_network_of_a_handful_of_people_says_that_it_was_trained_on_them(
    faces: FaceSet, data: Path, tmp_path: Path
) -> None:
    run(replace(TINY, held_out=0.0), faces, tmp_path)
    card = publish(tmp_path / CHECKPOINT, data, tmp_path / "mine.onnx", FIELDS)
    assert card.error_rates[0].measured_on == (
        "48 faces of 6 people of the training set whom it was trained on: too few to hold any out"
    )


def test_a_network_that_was_trained_on_boxes_is_served_boxes(faces: FaceSet, data: Path, tmp_path: Path) -> None:
    boxes = replace(faces, alignment=BoxCrop(margin=0.0, height=128, width=128))
    (tmp_path / "boxes").mkdir()
    write_set(tmp_path / "boxes", boxes, [range(len(boxes))], {})
    run(TINY, boxes, tmp_path)
    card = publish(tmp_path / CHECKPOINT, tmp_path / "boxes", tmp_path / "mine.onnx", FIELDS)
    assert card.alignment == BoxCrop(margin=0.0, height=140, width=116)
    with pytest.raises(TrainingError, match="begun on other faces: alignment differ"):
        publish(tmp_path / CHECKPOINT, data, tmp_path / "other.onnx", FIELDS)


def test_a_field_that_no_card_can_hold_is_named(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportRefused, match=r"The card cannot say embedder\.thresholds\.verification"):
        publish(checkpoint, data, tmp_path / "mine.onnx", {**FIELDS, "thresholds": {"verification": 5}})


def test_a_file_in_fewer_bits_is_measured_on_the_people_who_are_named(
    published: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("person1\nperson2\nperson3\n")
    card = check(shrink(published, Shrinking("fp16", 1, tmp_path / "names.txt", "the command"), data, tmp_path))
    assert isinstance(card, EmbedderCard)
    assert card.error_rates[0].measured_on == "24 faces of 3 people held out of training"


def test_names_that_are_not_in_the_set_are_refused(published: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("somebody\n")
    with pytest.raises(DatasetError, match="1 of the 1 people who were named have no face in the set"):
        shrink(published, Shrinking("fp16", 1, tmp_path / "names.txt", "the command"), data, tmp_path)


def test_a_set_of_a_few_people_has_nobody_to_measure_on(published: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Prepare the photographs of more people"):
        shrink(published, Shrinking("fp16", 1, None, "the command"), data, tmp_path)
