from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from models.errors import AdoptionRefused
from models.release.adoption.published import PublishedNetwork
from service.domain.command_errors import ModelFileError
from service.model_files.contents import MAX_FILE_BYTES
from tests.models.release.adoption.conftest import SIDE_PX, Publish


def test_the_layout_and_the_size_are_read(publish: Publish) -> None:
    for channels_first in (True, False):
        network = PublishedNetwork.read(publish(channels_first=channels_first))
        assert (network.channels_first, network.height, network.width) == (channels_first, SIDE_PX, SIDE_PX)


def test_weights_that_are_listed_as_inputs_are_no_inputs(publish: Publish) -> None:
    assert PublishedNetwork.read(publish(lists_weights=True)).image == "image"


def test_a_size_that_the_file_does_not_say_is_asked_for(publish: Publish) -> None:
    file = publish(sizes=("h", "w"))
    with pytest.raises(AdoptionRefused, match="--side"):
        PublishedNetwork.read(file)
    assert PublishedNetwork.read(file, side_px=SIDE_PX).height == SIDE_PX


def test_a_size_that_contradicts_the_file_is_refused(publish: Publish) -> None:
    with pytest.raises(AdoptionRefused, match="Leave out --side 112"):
        PublishedNetwork.read(publish(), side_px=112)


def test_of_several_outputs_one_must_be_named(publish: Publish) -> None:
    file = publish(more_outputs=("maps",))
    with pytest.raises(AdoptionRefused, match="--output features or --output maps"):
        PublishedNetwork.read(file)
    assert PublishedNetwork.read(file, output="features").features == "features"


def test_an_input_of_another_type_is_refused(publish: Publish) -> None:
    with pytest.raises(AdoptionRefused, match=r"The input image must be float32"):
        PublishedNetwork.read(publish(element_type=TensorProto.INT32, opset=11))


@pytest.mark.parametrize("data", [b"", b"no ONNX file", b"\x00" * 100])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "other.onnx").write_bytes(data)
    with pytest.raises(AdoptionRefused, match=r"other\.onnx"):
        PublishedNetwork.read(tmp_path / "other.onnx")


def test_a_file_that_reads_another_file_is_refused(publish: Publish, tmp_path: Path) -> None:
    model = onnx.load(publish())
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(AdoptionRefused, match="weights"):
        PublishedNetwork.read(tmp_path / "split.onnx")


def test_an_embedder_of_this_project_is_refused_because_it_takes_pixels_already(models_dir: Path) -> None:
    with pytest.raises(AdoptionRefused, match="float32"):
        PublishedNetwork.read(models_dir / "sface.onnx")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ModelFileError, match="A model may have"):
        PublishedNetwork.read(tmp_path / "large.onnx")
