from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.conversion.card import KEY, check, with_card
from models.conversion.identity import identity
from models.errors import InvalidModel
from models.zoo import read_zoo


@pytest.fixture
def onet(models_dir: Path) -> onnx.ModelProto:
    return onnx.load(models_dir / "onet.onnx")


def test_every_model_of_the_zoo_is_as_its_card_says(models_dir: Path) -> None:
    for name in read_zoo().models:
        assert check(models_dir / f"{name}.onnx").name == name


def test_a_new_card_leaves_the_identity_as_it_is(onet: onnx.ModelProto) -> None:
    before = identity(onet)
    fields = {**read_zoo().entry("onet").card, "training": "otherwise"}

    changed = onnx.load_from_string(with_card(onet, fields))

    assert identity(changed) == before
    assert "otherwise" in next(one.value for one in changed.metadata_props if one.key == KEY)


def test_one_changed_weight_changes_the_identity(onet: onnx.ModelProto) -> None:
    before = identity(onet)
    _nudge(onet)

    assert identity(onet) != before


def test_one_changed_attribute_changes_the_identity(onet: onnx.ModelProto) -> None:
    before = identity(onet)
    pool = next(node for node in onet.graph.node if node.op_type == "MaxPool")
    pool.attribute[0].ints[0] += 1

    assert identity(onet) != before


def test_the_same_model_and_card_are_the_same_bytes(onet: onnx.ModelProto) -> None:
    fields = read_zoo().entry("onet").card

    assert with_card(onet, fields) == with_card(onet, fields)


def test_check_refuses_a_graph_that_was_changed_behind_its_card(onet: onnx.ModelProto, tmp_path: Path) -> None:
    _nudge(onet)
    file = tmp_path / "onet.onnx"
    onnx.save(onet, file)

    with pytest.raises(
        InvalidModel, match=r"was changed after its card was written.*Run: facenet-models pull onet --into "
    ):
        check(file)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_check_refuses_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "some.onnx"
    file.write_bytes(content)

    with pytest.raises(InvalidModel, match="is not an ONNX file with a valid card"):
        check(file)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("sface", "Run: facenet-models pull sface --into "),
        (
            "mine",
            "Give the path of an .onnx file that this project made, or a name of the zoo: sface, yunet, .*compact",
        ),
    ],
)
def test_a_file_that_is_missing_is_said_to_be(name: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=rf"{name}\.onnx is missing\. {remedy}"):
        check(tmp_path / f"{name}.onnx")


def test_check_refuses_a_model_without_a_card(onet: onnx.ModelProto, tmp_path: Path) -> None:
    del onet.metadata_props[:]
    file = tmp_path / "onet.onnx"
    onnx.save(onet, file)

    with pytest.raises(InvalidModel, match="valid card"):
        check(file)


def _nudge(model: onnx.ModelProto) -> None:
    tensor = next(one for one in model.graph.initializer if one.name == "conv1_bias")
    values = numpy_helper.to_array(tensor).copy()
    values[0] = np.nextafter(values[0], np.float32(1))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
