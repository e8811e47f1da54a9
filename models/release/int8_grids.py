"""Measure the grids of `models/conversion/int8` on faces: the scale, the zero point and the shift of each activation.

The scale covers the extremes of 64 places of each face. These choices were compared, with SFace and other people's
faces, by the mean cosine to float32:

    the scale covers                                                 without shift   with shift
    the extremes of 64 places of each of 256 faces                   0.9956          0.9969
    1.2 times these extremes                                         0.9953          0.9963
    the extremes of all places of all faces                          0.9935
    98 % of the extremes of the faces                                0.9942
    99.95 % of the numbers                                           0.9935
    what makes the mean squared error of the channel smallest        0.9943          0.9950
    the mean of the extremes of the faces                            0.950

Finer grids would cost more time than they gain: if the convolution is computed twice, with the slopes in its weights,
the grid need not cover what PReLU makes small. The mean cosine rises by 0.0004, and the time by 5 %.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from models.conversion import graph
from models.conversion.int8.build import PIXELS, SHARED, Activation, build_layer
from models.conversion.int8.grids import Grid
from models.conversion.int8.network import PIXEL_MEAN, PIXEL_SCALE, Convolution, Network, read_network
from models.conversion.pull import read_original
from models.errors import DatasetError
from models.evaluation.data.identities import SEED, read_identities
from models.evaluation.embedding.crops import cut_main_faces
from models.zoo.catalogue import read_zoo
from models.zoo.packages import Packages
from service.domain.face import Crops
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

Floats = NDArray[np.float32]
"""The sums of a convolution for some faces, (n, c, h, w)."""

PLACES = 64
"""How many places of each face are looked at for the scale."""

SHIFT_FACES = 128
"""How many faces the shift is measured on."""

FACES = 256
"""How many people's faces are measured, one of each."""

BATCH = 4
ZERO_POINTS = range(8, 160, 8)


def measure_sface(folder: Path, options: PipelineOptions) -> dict[str, Grid]:
    """Return the grids of SFace.

    folder: PERSON/PHOTOGRAPH.jpg. One photograph of each of `FACES` people is drawn.
    options: of a pipeline with SFace, which cuts the faces out.
    Raises DatasetError if there are too few people, or if a photograph cannot be read. Raises DownloadFailed or
    WrongChecksum if the published SFace cannot be had.
    """
    identities = read_identities(folder, max_per_person=1)
    if len(identities.files) < FACES:
        raise DatasetError(f"{folder} has {len(identities.files)} people. {FACES} are needed. Give a larger folder.")
    rng = np.random.default_rng(SEED)
    files = [identities.files[row] for row in rng.permutation(len(identities.files))[:FACES]]
    extractor = open_face_extractor(options, open_embedder(options).card)
    crops, _ = cut_main_faces(extractor, files, options.threads)
    source = read_zoo().entry("sface-int8").source
    assert source is not None  # noqa: S101  # the catalogue of this project gives it
    with Packages() as packages:
        network = read_network(read_original(source, packages))
    return measure_grids(network, crops, rng)


def measure_grids(network: Network, crops: Crops, rng: np.random.Generator) -> dict[str, Grid]:
    """Return the grid of each convolution. crops: (n, h, w, 3) uint8, one of each person.

    The shift of a convolution is measured after those of all convolutions before it.
    """
    grids = {}
    floats, integers, activation = _to_floats(crops), crops[:SHIFT_FACES].transpose(0, 3, 1, 2), PIXELS
    for convolution in network.convolutions:
        sums = _run_float32(convolution, floats)
        scale, zero_point = choose_grid(sums, convolution.slopes, rng)
        unshifted = Grid(scale, zero_point, np.zeros(len(scale)))
        expected = _mean_on_grid(sums[:SHIFT_FACES], unshifted)
        actual = _run_int8(convolution, activation, unshifted, integers)[0].mean(axis=(0, 2, 3)) - zero_point
        grid = Grid(scale, zero_point, (expected - actual).astype(np.float32).astype(np.float64))
        _, integers = _run_int8(convolution, activation, grid, integers)
        _, activation = build_layer(convolution, activation, grid)
        floats = np.maximum(sums, sums * convolution.slopes.astype(np.float32)[:, None, None])
        grids[convolution.name] = grid
    return grids


def choose_grid(sums: Floats, slopes: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    """Return the scale of each channel, and the zero point that makes the mean rounding error smallest."""
    rows = sums.reshape(*sums.shape[:2], -1)
    places = rng.permuted(np.broadcast_to(np.arange(rows.shape[2]), (len(rows), rows.shape[2])), axis=1)[:, :PLACES]
    seen = np.take_along_axis(rows, places[:, None, :], axis=2).swapaxes(0, 1).reshape(rows.shape[1], -1)
    lowest, highest = np.minimum(seen.min(axis=1), -1e-6), np.maximum(seen.max(axis=1), 1e-6)
    variance = np.maximum(seen, seen * slopes.astype(np.float32)[:, None]).var(axis=1) + 1e-12
    scales = {zero: np.maximum(highest / (255 - zero), -lowest / zero) for zero in ZERO_POINTS}
    best = min(scales, key=lambda zero: float((scales[zero] ** 2 / variance).mean()))
    return scales[best].astype(np.float32).astype(np.float64), best


def _to_floats(crops: Crops) -> Floats:
    pixels: Floats = (crops.transpose(0, 3, 1, 2).astype(np.float32) - PIXEL_MEAN) * np.float32(PIXEL_SCALE)
    return pixels


def _mean_on_grid(sums: Floats, grid: Grid) -> NDArray[np.float64]:
    """Return the mean of each channel in steps of the grid. Numbers outside of the grid count as its ends."""
    steps = sums / grid.scale.astype(np.float32)[:, None, None]
    mean: NDArray[np.float64] = np.clip(steps, -grid.zero_point, 255 - grid.zero_point).mean(
        axis=(0, 2, 3), dtype=np.float64
    )
    return mean


def _run_float32(convolution: Convolution, inputs: Floats) -> Floats:
    node = helper.make_node(
        "Conv",
        ["inputs", "weights", "bias"],
        ["sums"],
        group=convolution.groups,
        strides=[convolution.stride] * 2,
        pads=[convolution.padding] * 4,
    )
    weights: graph.Weights = {
        "weights": convolution.weights.astype(np.float32),
        "bias": convolution.bias.astype(np.float32),
    }
    (sums,) = _run([node], weights, "inputs", inputs, ["sums"])
    return sums


def _run_int8(
    convolution: Convolution, activation: Activation, grid: Grid, inputs: NDArray[np.uint8]
) -> Sequence[NDArray[np.uint8]]:
    """Return the sums and the activation after PReLU, both (n, c, h, w) uint8."""
    (nodes, weights), result = build_layer(convolution, activation, grid)
    weights = SHARED | weights | {activation.zero: np.array(activation.zero_point, np.uint8)}
    return _run(nodes, weights, activation.tensor, inputs, [nodes[0].output[0], result.tensor])


def _run(
    nodes: list[NodeProto], weights: graph.Weights, name: str, inputs: NDArray[Any], outputs: Sequence[str]
) -> list[NDArray[Any]]:
    kind = TensorProto.UINT8 if inputs.dtype == np.uint8 else TensorProto.FLOAT
    shape = [None] * 4
    model = graph.build(
        "layer",
        nodes,
        weights,
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info(output, kind, shape) for output in outputs],
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    parts = [
        session.run(outputs, {name: np.ascontiguousarray(inputs[start : start + BATCH])})
        for start in range(0, len(inputs), BATCH)
    ]
    return [np.concatenate(tensors) for tensors in zip(*parts, strict=True)]
