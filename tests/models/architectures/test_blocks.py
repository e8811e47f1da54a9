import pytest
import torch
from torch import Tensor, nn

from models.architectures.blocks import (
    AveragePool,
    ConvBnRelu,
    Flatten,
    FullyConnected,
    L2Pool,
    LocalResponseNorm,
    Maxout,
    MaxPool,
    count_features,
    max_pool,
    stack,
)

ROWS = (ConvBnRelu("conv1", 8, 3, stride=2), MaxPool("pool1"), Flatten("concat", 3, 2), FullyConnected("fc1", 5))


def random_maps(channels: int, height: int = 7, width: int = 6) -> Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))


def l2_norm_of_each_window(maps: Tensor, stride: int) -> Tensor:
    n, channels, height, width = maps.shape
    padded = torch.zeros(n, channels, height + 2, width + 2)
    padded[:, :, 1:-1, 1:-1] = maps
    rows = [
        torch.stack([padded[:, :, y : y + 3, x : x + 3].norm(dim=(2, 3)) for x in range(0, width, stride)], dim=2)
        for y in range(0, height, stride)
    ]
    return torch.stack(rows, dim=2)


@pytest.mark.parametrize("channels", [3, 5, 64])
@pytest.mark.parametrize("size", [1.0, 300.0])
def test_the_response_norm_equals_that_of_torch(channels: int, size: float) -> None:
    maps = random_maps(channels) * size

    torch.testing.assert_close(LocalResponseNorm(channels)(maps), nn.LocalResponseNorm(5)(maps))


def test_the_response_norm_of_large_float16_maps_equals_that_of_float32() -> None:
    maps = (random_maps(16) * 2000).half()
    norm = LocalResponseNorm(16)

    torch.testing.assert_close(norm.half()(maps).float(), nn.LocalResponseNorm(5)(maps.float()), rtol=5e-3, atol=1e-3)


def test_the_band_of_the_response_norm_is_not_in_a_checkpoint() -> None:
    assert not LocalResponseNorm(8).state_dict()


@pytest.mark.parametrize("stride", [1, 2])
def test_l2_pooling_returns_the_norm_of_each_window(stride: int) -> None:
    maps = random_maps(4)

    torch.testing.assert_close(L2Pool(stride)(maps), l2_norm_of_each_window(maps, stride), rtol=1e-4, atol=1e-4)


def test_l2_pooling_of_large_float16_maps_does_not_overflow() -> None:
    maps = torch.full((1, 1, 5, 5), 1000.0, dtype=torch.float16)

    pooled = L2Pool(1)(maps)

    torch.testing.assert_close(pooled[0, 0, 1:-1, 1:-1], torch.full((3, 3), 3000.0, dtype=torch.float16))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_l2_pooling_of_zeros_has_a_finite_gradient(dtype: torch.dtype) -> None:
    maps = torch.zeros(1, 1, 5, 5, dtype=dtype, requires_grad=True)

    pooled = L2Pool(1)(maps)
    pooled.sum().backward()

    assert torch.all(pooled < 0.02)
    assert maps.grad is not None
    assert torch.all(maps.grad == 0)


def test_maxout_takes_the_larger_of_two_linear_functions() -> None:
    vectors = random_maps(1, 3, 4).flatten(1)
    layer = Maxout(12, 5)
    weight, bias = layer.pieces.weight, layer.pieces.bias

    maxima = layer(vectors)

    for out in range(5):
        first, second = (vectors @ weight[piece] + bias[piece] for piece in (out, out + 5))
        torch.testing.assert_close(maxima[:, out], torch.maximum(first, second))


@pytest.mark.parametrize(("before", "after"), [(165, 83), (83, 42), (112, 56), (55, 28), (21, 11), (7, 4)])
def test_a_stride_of_two_halves_the_map_and_rounds_up(before: int, after: int) -> None:
    maps = torch.zeros(1, 3, before, before)

    assert max_pool(stride=2)(maps).shape == (1, 3, after, after)
    assert L2Pool(2)(maps).shape == (1, 3, after, after)
    assert ConvBnRelu("conv1", 2, 7, stride=2).build(3)(maps).shape == (1, 2, after, after)


def test_the_modules_of_a_network_have_the_names_of_the_rows() -> None:
    network = stack(ROWS)

    assert [name for name, _ in network.named_children()] == ["conv1", "pool1", "concat", "fc1"]
    assert network(torch.zeros(2, 3, 12, 8)).shape == (2, count_features(ROWS)) == (2, 5)


def test_average_pooling_returns_the_mean_of_the_map() -> None:
    maps = random_maps(4)

    torch.testing.assert_close(AveragePool("avg_pool").build(4)(maps), maps.mean(dim=(2, 3)))


def test_a_layer_before_batch_normalisation_has_no_bias() -> None:
    layers = [module for module in stack(ROWS).modules() if isinstance(module, nn.Conv2d | nn.Linear)]

    assert len(layers) == 2
    assert all(layer.bias is None for layer in layers)
