import getpass
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from models import export as exporting
from models.architectures.network import Architecture, Network
from models.conversion.card import check
from models.errors import ExportRefused
from models.export import card_fields, export
from service.card import EmbedderCard
from service.domain import Crops
from service.embedders.onnx import OnnxEmbedder
from service.errors import ModelFileError
from service.model_file import open_model

HEIGHT, WIDTH, FEATURES, DIMENSION = 112, 96, 12, 8


def _trunk(*last: nn.Module) -> nn.Sequential:
    """A few of what networks are made of, one of each."""
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
    """In training, after a few faces, so that batch normalisation is not what it starts as."""
    torch.manual_seed(seed)
    architecture = Architecture("tiny", HEIGHT, WIDTH, FEATURES, trunk, view=(8, 0, 104, 112))
    network = Network(architecture, DIMENSION)
    network(torch.randint(0, 256, (4, HEIGHT, WIDTH, 3), dtype=torch.uint8))
    return network


def _fields(network: Network) -> dict[str, object]:
    return card_fields(network, network.architecture.alignment, "tiny", "Apache-2.0", "weights drawn at random")


@pytest.fixture(scope="module")
def faces(crops: Callable[[str], Crops]) -> Crops:
    """Three real ones, (3, 112, 96, 3)."""
    return np.ascontiguousarray(crops("sface")[:, :, 8:104])


@pytest.fixture(scope="module")
def exported(faces: Crops, tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = _network()
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    export(network, _fields(network), faces, path)
    return path


def test_the_file_says_what_the_network_says_for_any_batch(exported: Path, faces: Crops) -> None:
    network = _network().eval()
    embedder = OnnxEmbedder(open_model(exported, EmbedderCard, "cpu", 1))

    for batch in (1, 2, 7):
        some = np.resize(faces, (batch, *faces.shape[1:]))
        embeddings = embedder.embed(some)
        expected = network(torch.from_numpy(some)).detach().numpy()
        np.testing.assert_allclose(embeddings, expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


def test_the_card_says_what_the_network_is(exported: Path) -> None:
    card = check(exported)

    assert isinstance(card, EmbedderCard)
    assert (card.name, card.architecture, card.dimension) == ("tiny", "tiny", DIMENSION)
    assert card.alignment == _network().architecture.alignment
    assert (card.licence, card.training) == ("Apache-2.0", "weights drawn at random")


def test_nothing_lies_beside_the_file(exported: Path) -> None:
    assert [one.name for one in exported.parent.iterdir()] == ["tiny.onnx"]
    assert all(
        tensor.data_location == onnx.TensorProto.DEFAULT
        for tensor in onnx.load(exported, load_external_data=False).graph.initializer
    )


def test_the_graph_holds_what_the_network_computes_and_no_more(exported: Path) -> None:
    operations = [node.op_type for node in onnx.load(exported).graph.node]

    # PReLU is lowered to five; batch normalisation is in the convolutions, dropout nowhere.
    assert operations == [
        *("Transpose", "Cast", "Sub", "Div"),
        *("Conv", "Relu", "MaxPool"),
        *("Conv", "Relu", "Conv", "Relu", "Conv", "Add"),
        *("ReduceMean", "Reshape", "Gemm", "ReduceL2", "Div"),
    ]


def test_the_same_weights_are_the_same_bytes(exported: Path, faces: Crops, tmp_path: Path) -> None:
    network = _network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    export(network, _fields(network), faces, tmp_path / "again.onnx")

    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_other_weights_are_another_model_and_training_goes_on_as_it_was(
    exported: Path, faces: Crops, tmp_path: Path
) -> None:
    network = _network(seed=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    card = export(network, _fields(network), faces, tmp_path / "other.onnx")

    assert card == check(tmp_path / "other.onnx")
    assert card.id != check(exported).id
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_nothing_in_the_file_tells_of_the_machine(exported: Path) -> None:
    data, model = exported.read_bytes(), onnx.load(exported)

    for told in (str(Path.home()), str(Path(__file__).parents[2]), getpass.getuser(), "site-packages", "stack_trace"):
        assert told.encode() not in data
    assert [one.key for one in model.metadata_props] == ["card"]
    assert not model.doc_string
    assert not model.graph.doc_string
    assert not model.graph.metadata_props
    assert not model.graph.value_info
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert not any(tensor.doc_string or tensor.metadata_props for tensor in model.graph.initializer)
    assert not any(value.doc_string or value.metadata_props for value in [*model.graph.input, *model.graph.output])


def test_weights_keep_the_names_that_they_have_in_the_network(exported: Path) -> None:
    names = {tensor.name for tensor in onnx.load(exported).graph.initializer}

    assert {"trunk.0.weight", "trunk.4.weight", "embedding.weight", "embedding.bias"} <= names


class _ByChance(nn.Module):
    """Adds noise in evaluation too, so that no two runs agree."""

    def forward(self, features: Tensor) -> Tensor:
        return features + torch.randn_like(features)


class _Dead(nn.Module):
    """Gives zeros, which have no direction: PyTorch leaves them zero, the contract of unit length cannot."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.zeros_like(features)


def test_a_file_that_does_not_agree_is_not_written(faces: Crops, tmp_path: Path) -> None:
    network = _network(lambda: _trunk(_ByChance()))
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"what was there before")

    with pytest.raises(ExportRefused, match=r"differ by [0-9.]+ on tiny, where 0\.0001 is allowed"):
        export(network, _fields(network), faces, path)

    assert path.read_bytes() == b"what was there before"
    assert [one.name for one in tmp_path.iterdir()] == ["tiny.onnx"]


def test_what_is_no_number_does_not_agree(faces: Crops, tmp_path: Path) -> None:
    network = _network(lambda: _trunk(_Dead()))
    network.embedding.bias.data.zero_()

    with pytest.raises(ExportRefused, match="differ by nan"):
        export(network, _fields(network), faces, tmp_path / "tiny.onnx")

    assert not list(tmp_path.iterdir())


def test_a_card_that_is_not_the_networks_is_refused(faces: Crops, tmp_path: Path) -> None:
    network = _network()

    with pytest.raises(ModelFileError, match=r"promises embeddings as tensor\(float\) of \(any, 16\)"):
        export(network, {**_fields(network), "dimension": 16}, faces, tmp_path / "tiny.onnx")

    assert not list(tmp_path.iterdir())


def test_batches_of_one_few_and_many_are_compared() -> None:
    assert exporting.BATCHES == (1, 3, 32)
