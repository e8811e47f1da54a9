from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.conversion.card import CARD_KEY, read_checked_card, to_bytes_with_card
from models.conversion.identity import compute_identity
from models.errors import InvalidModel
from models.zoo.catalogue import read_zoo


@pytest.fixture
def onet(models_dir: Path) -> onnx.ModelProto:
    return onnx.load(models_dir / "onet.onnx")


def test_every_model_of_the_catalogue_has_a_valid_card(models_dir: Path) -> None:
    for name in read_zoo().models:
        assert read_checked_card(models_dir / f"{name}.onnx").name == name


def test_a_new_card_does_not_change_the_identity(onet: onnx.ModelProto) -> None:
    before = compute_identity(onet)
    fields = {**read_zoo().entry("onet").card, "training": "other data"}

    changed = onnx.load_from_string(to_bytes_with_card(onet, fields))

    assert compute_identity(changed) == before
    assert "other data" in next(entry.value for entry in changed.metadata_props if entry.key == CARD_KEY)


def test_a_changed_weight_changes_the_identity(onet: onnx.ModelProto) -> None:
    before = compute_identity(onet)
    _change_a_weight(onet)

    assert compute_identity(onet) != before


def test_a_changed_attribute_changes_the_identity(onet: onnx.ModelProto) -> None:
    before = compute_identity(onet)
    pool = next(node for node in onet.graph.node if node.op_type == "MaxPool")
    pool.attribute[0].ints[0] += 1

    assert compute_identity(onet) != before


def test_the_same_model_and_card_give_the_same_bytes(onet: onnx.ModelProto) -> None:
    fields = read_zoo().entry("onet").card

    assert to_bytes_with_card(onet, fields) == to_bytes_with_card(onet, fields)


def test_a_graph_that_was_changed_after_its_card_was_written_is_refused(onet: onnx.ModelProto, tmp_path: Path) -> None:
    _change_a_weight(onet)
    file = tmp_path / "onet.onnx"
    onnx.save(onet, file)

    with pytest.raises(
        InvalidModel, match=r"was changed after its card was written.*Run: facenet-models pull onet --into "
    ):
        read_checked_card(file)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(content)

    with pytest.raises(InvalidModel, match="is not an ONNX file with a valid card"):
        read_checked_card(file)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("sface", "Run: facenet-models pull sface --into "),
        (
            "mine",
            "Give the path of an .onnx file that this project made, or a name in the catalogue: sface, .*compact",
        ),
    ],
)
def test_a_missing_file_is_refused_with_what_to_do(name: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=rf"{name}\.onnx is missing\. {remedy}"):
        read_checked_card(tmp_path / f"{name}.onnx")


def test_a_model_without_a_card_is_refused(onet: onnx.ModelProto, tmp_path: Path) -> None:
    del onet.metadata_props[:]
    file = tmp_path / "onet.onnx"
    onnx.save(onet, file)

    with pytest.raises(InvalidModel, match="valid card"):
        read_checked_card(file)


def test_a_model_with_weights_in_another_file_is_refused(onet: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save_model(onet, tmp_path / "onet.onnx", save_as_external_data=True, location="weights.bin")
    with pytest.raises(InvalidModel, match="external data"):
        read_checked_card(tmp_path / "onet.onnx")


def _change_a_weight(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "conv1_bias")
    values = numpy_helper.to_array(tensor).copy()
    values[0] = np.nextafter(values[0], np.float32(1))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
