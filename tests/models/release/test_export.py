import getpass
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from models.architectures.network import Architecture, Network
from models.conversion.card import read_checked_card
from models.errors import ExportRefused
from models.release.export import BATCH_SIZES, card_fields, export
from service.domain.command_errors import ModelFileError
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.onnx import OnnxEmbedder

pytestmark = pytest.mark.slow

HEIGHT, WIDTH, FEATURES, DIMENSION = 112, 96, 12, 8


def _trunk(*last: nn.Module) -> nn.Sequential:
    """Return a trunk with one layer of each kind that the networks have. last: layers that are added at the end."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, padding=1),
        nn.Conv2d(8, FEATURES, 3, bias=False),
        nn.BatchNorm2d(FEATURES),
        nn.PReLU(FEATURES),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.4),
        *last,
    )


def _network(trunk: Callable[[], nn.Module] = _trunk, seed: int = 0) -> Network:
    """Return a network in training mode. It has embedded a few faces, so batch normalisation has new statistics."""
    torch.manual_seed(seed)
    architecture = Architecture("tiny", HEIGHT, WIDTH, FEATURES, trunk, view=(8, 0, 104, 112))
    network = Network(architecture, DIMENSION)
    network(torch.randint(0, 256, (4, HEIGHT, WIDTH, 3), dtype=torch.uint8))
    return network


def _fields(network: Network) -> dict[str, object]:
    return card_fields(network, network.architecture.alignment, "tiny", "Apache-2.0", "weights drawn at random")


@pytest.fixture(scope="module")
def faces(crops: Callable[[str], Crops]) -> Crops:
    """Return three real faces, (3, 112, 96, 3)."""
    return np.ascontiguousarray(crops("sface")[:, :, 8:104])


@pytest.fixture(scope="module")
def exported(faces: Crops, tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = _network()
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    export(network, _fields(network), faces, path)
    return path


def test_the_file_and_the_network_give_the_same_embeddings_for_any_batch_size(exported: Path, faces: Crops) -> None:
    network = _network().eval()
    embedder = OnnxEmbedder(open_model(exported, EmbedderCard, Execution()))

    for batch_size in (1, 2, 7):
        batch = np.resize(faces, (batch_size, *faces.shape[1:]))
        embeddings = embedder.embed(batch)
        expected = network(torch.from_numpy(batch)).detach().numpy()
        np.testing.assert_allclose(embeddings, expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


def test_the_card_describes_the_network(exported: Path) -> None:
    card = read_checked_card(exported)

    assert isinstance(card, EmbedderCard)
    assert (card.name, card.architecture, card.dimension) == ("tiny", "tiny", DIMENSION)
    assert card.alignment == _network().architecture.alignment
    assert (card.licence, card.training) == ("Apache-2.0", "weights drawn at random")


def test_the_model_is_a_single_file(exported: Path) -> None:
    assert [file.name for file in exported.parent.iterdir()] == ["tiny.onnx"]
    assert all(
        tensor.data_location == onnx.TensorProto.DEFAULT
        for tensor in onnx.load(exported, load_external_data=False).graph.initializer
    )


def test_the_graph_has_no_other_operations_than_the_network(exported: Path) -> None:
    operations = [node.op_type for node in onnx.load(exported).graph.node]

    # PReLU becomes five operations. Batch normalisation is folded into the convolutions. Dropout is left out.
    assert operations == [
        *("Transpose", "Cast", "Sub", "Div"),
        *("Conv", "Relu", "MaxPool"),
        *("Conv", "Relu", "Conv", "Relu", "Conv", "Add"),
        *("ReduceMean", "Reshape", "Gemm", "ReduceL2", "Div"),
    ]


def test_the_same_weights_give_the_same_bytes(exported: Path, faces: Crops, tmp_path: Path) -> None:
    network = _network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    export(network, _fields(network), faces, tmp_path / "again.onnx")

    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_other_weights_give_another_id_and_the_export_does_not_change_the_network(
    exported: Path, faces: Crops, tmp_path: Path
) -> None:
    network = _network(seed=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    card = export(network, _fields(network), faces, tmp_path / "other.onnx")

    assert card == read_checked_card(tmp_path / "other.onnx")
    assert card.id != read_checked_card(exported).id
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_file_holds_nothing_about_this_machine(exported: Path) -> None:
    data, model = exported.read_bytes(), onnx.load(exported)

    for text in (str(Path.home()), str(Path(__file__).parents[3]), getpass.getuser(), "site-packages", "stack_trace"):
        assert text.encode() not in data
    assert [entry.key for entry in model.metadata_props] == ["card"]
    assert not model.doc_string
    assert not model.graph.doc_string
    assert not model.graph.metadata_props
    assert not model.graph.value_info
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert not any(tensor.doc_string or tensor.metadata_props for tensor in model.graph.initializer)
    assert not any(value.doc_string or value.metadata_props for value in [*model.graph.input, *model.graph.output])


def test_weights_keep_their_names(exported: Path) -> None:
    names = {tensor.name for tensor in onnx.load(exported).graph.initializer}

    assert {"trunk.0.weight", "trunk.4.weight", "embedding.weight", "embedding.bias"} <= names


class _Noise(nn.Module):
    """Adds noise, even in evaluation mode. So two calls never agree."""

    def forward(self, features: Tensor) -> Tensor:
        return features + torch.randn_like(features)


class _Zeros(nn.Module):
    """Returns zeros, which cannot be scaled to unit length. PyTorch returns zeros, and the file divides by zero."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.zeros_like(features)


def test_a_file_that_differs_from_the_network_is_not_written(faces: Crops, tmp_path: Path) -> None:
    network = _network(lambda: _trunk(_Noise()))
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"the old file")

    with pytest.raises(ExportRefused, match=r"differ by [0-9.]+ on tiny, and at most 0\.0001 is allowed"):
        export(network, _fields(network), faces, path)

    assert path.read_bytes() == b"the old file"
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.onnx"]


def test_a_file_that_gives_nan_is_not_written(faces: Crops, tmp_path: Path) -> None:
    network = _network(lambda: _trunk(_Zeros()))
    network.embedding.bias.data.zero_()

    with pytest.raises(ExportRefused, match="differ by nan"):
        export(network, _fields(network), faces, tmp_path / "tiny.onnx")

    assert not list(tmp_path.iterdir())


def test_a_card_with_another_dimension_is_refused(faces: Crops, tmp_path: Path) -> None:
    network = _network()

    with pytest.raises(ModelFileError, match=r"describes embeddings as tensor\(float\) of \(any, 16\)"):
        export(network, {**_fields(network), "dimension": 16}, faces, tmp_path / "tiny.onnx")

    assert not list(tmp_path.iterdir())


def test_batches_of_one_of_few_and_of_many_are_compared() -> None:
    assert BATCH_SIZES == (1, 3, 32)
