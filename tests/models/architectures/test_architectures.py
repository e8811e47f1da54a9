import pytest
import torch
from torch import Tensor, nn

from models.architectures import ARCHITECTURES, Network, build
from models.errors import UnknownModel

LIGHT = ("nn4", "nns2", "compact")
"""Those that a test may make with numbers again and again."""


def crops(network: Network) -> Tensor:
    size = (2, network.architecture.height, network.architecture.width, 3)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def shape_of(name: str, dimension: int, *, training: bool) -> tuple[int, ...]:
    with torch.device("meta"):
        network = build(name, dimension).train(training)
        size = (2, network.architecture.height, network.architecture.width, 3)
        return tuple(network(torch.empty(size, dtype=torch.uint8)).shape)


@pytest.mark.parametrize(("dimension", "training"), [(64, True), (512, False)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_crop_becomes_as_many_numbers_as_asked(name: str, dimension: int, training: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert shape_of(name, dimension, training=training) == (2, dimension)


@pytest.mark.parametrize("dimension", [64, 512])
@pytest.mark.parametrize("name", LIGHT)
def test_embeddings_are_unit_vectors_that_differ(name: str, dimension: int) -> None:
    network = build(name, dimension)

    for mode in (network.train(), network.eval()):
        embeddings = mode(crops(network)).detach()
        assert embeddings.dtype == torch.float32
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
        assert not torch.allclose(embeddings[0], embeddings[1], atol=1e-4)


@pytest.mark.parametrize("name", ["nn2", "nn3", "nns1"])
def test_the_larger_ones_give_unit_vectors_too(name: str) -> None:
    network = build(name).eval()

    with torch.no_grad():
        torch.testing.assert_close(network(crops(network)).norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("name", LIGHT)
def test_a_face_is_embedded_alike_alone_and_in_company(name: str) -> None:
    network = build(name).eval()
    pair = crops(network)

    with torch.no_grad():
        torch.testing.assert_close(network(pair)[:1], network(pair[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LIGHT)
def test_every_weight_has_a_gradient(name: str) -> None:
    network = build(name)

    network(crops(network))[:, 0].sum().backward()

    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_the_paper_has_six_networks_and_each_has_its_input() -> None:
    sizes = {name: (one.height, one.width) for name, one in ARCHITECTURES.items()}

    assert sizes == {
        "nn1": (220, 220),
        "nn2": (224, 224),
        "nn3": (160, 160),
        "nn4": (96, 96),
        "nns1": (165, 165),
        "nns2": (140, 116),
        "compact": (96, 96),
    }


def test_weights_are_hes_normal_ones_and_biases_are_zero() -> None:
    network = build("nns2", 512)

    layer = network.embedding
    assert layer.weight.std().item() == pytest.approx((2 / layer.in_features) ** 0.5, rel=0.02)
    assert torch.all(layer.bias == 0)
    for one in network.modules():
        if isinstance(one, nn.Conv2d) and one.weight.numel() > 5000:
            fan_in = one.weight[0].numel()
            assert one.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_the_nearest_network_is_named() -> None:
    with pytest.raises(UnknownModel, match=r"There is no network NN44; did you mean nn4\? There are nn1, nn2"):
        build("NN44")


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    with pytest.raises(UnknownModel, match="There is no network resnet; There are nn1"):
        build("resnet")
