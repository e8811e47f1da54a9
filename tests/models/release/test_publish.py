"""Make a model file and a quantised file of a training run. Each is measured on people that were not trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.conversion.card import read_checked_card
from models.errors import DatasetError, ExportRefused, TrainingError
from models.release.publish import publish
from models.release.quantise_file import QuantisationRequest, quantise_file
from models.training.data.face_set import FaceSet
from models.training.loop import CHECKPOINT
from service.model_files.card import BoxAlignment, EmbedderCard
from tests.models.sets import write_set
from tests.models.training.tiny import TINY, run_loop

pytestmark = pytest.mark.slow

FIELDS = {"licence": "for research only", "thresholds": {"verification": 1.1}}


@pytest.fixture(scope="module")
def data(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_set(folder, faces, [range(len(faces))], {})
    return folder


@pytest.fixture(scope="module")
def checkpoint(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run_loop(TINY, faces, folder)
    return folder / CHECKPOINT


@pytest.fixture(scope="module")
def published(checkpoint: Path, data: Path) -> Path:
    path = checkpoint.parent / "mine.onnx"
    publish(checkpoint, data, path, FIELDS)
    return path


def test_the_card_holds_the_error_rates_on_people_held_out(published: Path) -> None:
    card = read_checked_card(published)
    assert isinstance(card, EmbedderCard)
    assert card.training == "recipe tiny of this project, 4 steps of 16 faces"
    assert card.thresholds.verification == 1.1
    (rate,) = card.error_rates
    assert rate.measured_on == "16 faces of 2 people of the training set who were held out"
    assert (rate.mated_pairs, rate.non_mated_pairs) == (2 * 28, 64)


def test_a_set_with_more_people_than_the_run_had_is_refused(checkpoint: Path, faces: FaceSet, tmp_path: Path) -> None:
    more = FaceSet(faces.canvases, faces.people + 1, faces.sources, ("another", *faces.names), faces.source_names)
    write_set(tmp_path, more, [range(len(more))], {})
    with pytest.raises(TrainingError, match="started on other faces"):
        publish(checkpoint, tmp_path, tmp_path / "mine.onnx", FIELDS)
    assert not (tmp_path / "mine.onnx").exists()


def test_the_card_tells_if_a_run_held_nobody_out(faces: FaceSet, data: Path, tmp_path: Path) -> None:
    run_loop(replace(TINY, held_out_share=0.0), faces, tmp_path)
    card = publish(tmp_path / CHECKPOINT, data, tmp_path / "mine.onnx", FIELDS)
    assert card.error_rates[0].measured_on == (
        "48 faces of 6 people of the training set that it was trained on: too few to hold any out"
    )


def test_a_network_that_was_trained_on_boxes_takes_boxes(faces: FaceSet, data: Path, tmp_path: Path) -> None:
    boxes = replace(faces, alignment=BoxAlignment(margin=0.0, height=128, width=128))
    (tmp_path / "boxes").mkdir()
    write_set(tmp_path / "boxes", boxes, [range(len(boxes))], {})
    run_loop(TINY, boxes, tmp_path)
    card = publish(tmp_path / CHECKPOINT, tmp_path / "boxes", tmp_path / "mine.onnx", FIELDS)
    assert card.alignment == BoxAlignment(margin=0.0, height=140, width=116)
    with pytest.raises(TrainingError, match=r"started on other faces\. These values differ: alignment\."):
        publish(tmp_path / CHECKPOINT, data, tmp_path / "other.onnx", FIELDS)


def test_a_field_that_no_card_can_hold_is_named(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportRefused, match=r"The card cannot hold embedder\.thresholds\.verification"):
        publish(checkpoint, data, tmp_path / "mine.onnx", {**FIELDS, "thresholds": {"verification": 5}})


def test_a_quantised_model_is_measured_on_the_listed_people(published: Path, faces: FaceSet, tmp_path: Path) -> None:
    names = [f"person{number:02}" for number in range(12)]
    twelve = FaceSet(faces.canvases, np.arange(48) // 4, faces.sources, tuple(names), faces.source_names)
    write_set(tmp_path, twelve, [range(len(twelve))], {})
    (tmp_path / "names.txt").write_text("\n".join(names[::2]))
    request = QuantisationRequest("fp16", 1, tmp_path / "names.txt", "the command")

    card = read_checked_card(quantise_file(published, request, tmp_path, tmp_path))

    assert isinstance(card, EmbedderCard)
    assert card.error_rates[0].measured_on == "24 faces of 6 people held out of training"


def test_a_model_is_not_quantised_with_fewer_than_four_people_of_each_kind(
    published: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("person1\nperson2\nperson3\n")
    with pytest.raises(DatasetError, match="There are 3 and 3"):
        quantise_file(published, QuantisationRequest("fp16", 1, tmp_path / "names.txt", "the command"), data, tmp_path)


def test_listed_people_who_are_not_in_the_set_are_refused(published: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("somebody\n")
    with pytest.raises(DatasetError, match="1 of the 1 named people have no face in the set"):
        quantise_file(published, QuantisationRequest("fp16", 1, tmp_path / "names.txt", "the command"), data, tmp_path)


def test_a_set_of_a_few_people_is_too_small_to_measure_a_quantised_model(
    published: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="Prepare the photographs of more people"):
        quantise_file(published, QuantisationRequest("fp16", 1, None, "the command"), data, tmp_path)
