import pytest
import torch
from torch import Tensor, nn

from models.architectures import ARCHITECTURES, Network, build_network
from models.errors import UnknownModel

FAST = ("nn4", "nns2", "compact")
"""The networks that are fast enough to compute embeddings in several tests."""


def random_crops(network: Network) -> Tensor:
    size = (2, network.architecture.height, network.architecture.width, 3)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def output_shape(name: str, dimension: int, *, training: bool) -> tuple[int, ...]:
    with torch.device("meta"):
        network = build_network(name, dimension).train(training)
        size = (2, network.architecture.height, network.architecture.width, 3)
        return tuple(network(torch.empty(size, dtype=torch.uint8)).shape)


@pytest.mark.parametrize(("dimension", "training"), [(64, True), (512, False)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_embedding_has_the_given_dimension(name: str, dimension: int, training: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert output_shape(name, dimension, training=training) == (2, dimension)


@pytest.mark.parametrize("dimension", [64, 512])
@pytest.mark.parametrize("name", FAST)
def test_embeddings_are_unit_vectors_and_differ_between_crops(name: str, dimension: int) -> None:
    network = build_network(name, dimension)

    for mode in (network.train(), network.eval()):
        embeddings = mode(random_crops(network)).detach()
        assert embeddings.dtype == torch.float32
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
        assert not torch.allclose(embeddings[0], embeddings[1], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nn2", "nn3", "nns1"])
def test_embeddings_of_the_larger_networks_are_unit_vectors(name: str) -> None:
    network = build_network(name).eval()

    with torch.no_grad():
        torch.testing.assert_close(network(random_crops(network)).norm(dim=1), torch.ones(2))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
def test_an_embedding_does_not_depend_on_the_other_crops_of_the_batch(name: str) -> None:
    network = build_network(name).eval()
    crops = random_crops(network)

    with torch.no_grad():
        torch.testing.assert_close(network(crops)[:1], network(crops[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
def test_every_weight_has_a_gradient(name: str) -> None:
    network = build_network(name)

    network(random_crops(network))[:, 0].sum().backward()

    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_each_network_of_the_paper_has_the_input_size_of_the_paper() -> None:
    sizes = {name: (architecture.height, architecture.width) for name, architecture in ARCHITECTURES.items()}

    assert sizes == {
        "nn1": (220, 220),
        "nn2": (224, 224),
        "nn3": (160, 160),
        "nn4": (96, 96),
        "nns1": (165, 165),
        "nns2": (140, 116),
        "compact": (96, 96),
    }


def test_weights_are_drawn_as_in_he_2015_and_biases_are_zero() -> None:
    network = build_network("nns2", 512)

    layer = network.embedding
    assert layer.weight.std().item() == pytest.approx((2 / layer.in_features) ** 0.5, rel=0.02)
    assert torch.all(layer.bias == 0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_the_error_for_an_unknown_network_names_the_most_similar_network() -> None:
    with pytest.raises(UnknownModel, match=r"There is no network NN44\. Did you mean nn4\? The networks are nn1, nn2"):
        build_network("NN44")


def test_the_error_names_no_similar_network_if_there_is_none() -> None:
    with pytest.raises(UnknownModel, match=r"There is no network resnet\. The networks are nn1"):
        build_network("resnet")
