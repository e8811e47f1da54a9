from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from models.calibration import Faces, every_pair
from models.conversion import graph
from models.conversion.card import check, with_card
from models.errors import ExportRefused, InvalidModel
from models.evaluation import metrics
from models.quantise import HeldOut, Quantised, quantise_float16, quantise_int8
from service.card import EmbedderCard
from service.domain import Crops, Embeddings
from service.embedders.onnx import OnnxEmbedder
from service.model_file import open_model

SIDE, DIMENSION, PEOPLE, EACH = 32, 16, 12, 4
FIELDS = {
    "role": "embedder",
    "name": "tiny",
    "architecture": "four layers",
    "licence": "Apache-2.0",
    "training": "weights drawn at random",
    "dimension": DIMENSION,
    "alignment": {"kind": "five_point", "view": (0, 0, 112, 112), "height": SIDE, "width": SIDE},
    "thresholds": {"verification": 0.7, "chosen_on": "Nothing."},
    "results": [{"benchmark": "LFW", "value": 0.5, "command": "none"}],
}


@pytest.fixture(scope="module")
def held_out(photographs: Path) -> HeldOut:
    """Places of a photograph stand for people. Each picture of one is in another light."""
    rng = np.random.default_rng(0)
    whole = np.asarray(Image.open(photographs / "eileen_collins" / "astronaut.png").convert("RGB"))
    corners = np.repeat(rng.integers(0, 512 - 2 * SIDE, (PEOPLE, 2)), EACH, axis=0)
    crops = np.stack([whole[top : top + 2 * SIDE : 2, left : left + 2 * SIDE : 2] for top, left in corners])
    lit = np.clip(crops * rng.uniform(0.9, 1.1, (len(crops), 1, 1, 1)), 0, 255).astype(np.uint8)
    return HeldOut(lit, np.repeat(np.arange(PEOPLE), EACH), "48 places of a photograph", "pytest")


def _nodes() -> list[NodeProto]:
    """What networks are made of: convolutions, a depthwise one, a residual sum, an L2 pooling, a last layer."""
    return [
        *graph.pixels_in("crops", "pixels"),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["input"]),
        helper.make_node("Conv", ["input", "first"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "depthwise"], ["c"], group=16, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "second", "bias"], ["d"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("Conv", ["e", "third"], ["f"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["e", "f"], ["g"]),
        helper.make_node("Mul", ["g", "g"], ["squares"]),
        helper.make_node("AveragePool", ["squares"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Sqrt", ["h"], ["i"]),
        helper.make_node("Flatten", ["i"], ["features"]),
        helper.make_node("Gemm", ["features", "last", "last_bias"], ["embedded"]),
    ]


Weights = dict[str, NDArray[np.float32]]


def _weights() -> Weights:
    """Without the last layer's bias, which `_write` adds."""
    rng = np.random.default_rng(1)

    def drawn(*shape: int, fan_in: int) -> NDArray[np.float32]:
        return np.asarray(rng.normal(size=shape) * np.sqrt(2 / fan_in), np.float32)

    return {
        "mean": np.array([127.5], np.float32),
        "scale": np.array([128], np.float32),
        "first": drawn(16, 3, 3, 3, fan_in=27),
        "depthwise": drawn(16, 1, 3, 3, fan_in=9),
        "second": drawn(32, 16, 3, 3, fan_in=144),
        "bias": np.zeros(32, np.float32),
        "third": drawn(32, 32, 3, 3, fan_in=288),
        "last": drawn(32 * 4 * 4, DIMENSION, fan_in=512),
    }


def _write(path: Path, weights: Weights, crops: Crops, spread: float = 0.8) -> Path:
    """The file of the network with these weights.

    spread: the share of the embeddings' mean that the last bias takes away; with 1 they lie all around the sphere.
    """
    pixels, embedded = [graph.pixels_value("crops", SIDE, SIDE)], [graph.float_value("embedded", DIMENSION)]
    unbiased: graph.Weights = {**weights, "last_bias": np.zeros(DIMENSION, np.float32)}
    (features,) = ReferenceEvaluator(graph.build("tiny", _nodes(), unbiased, pixels, embedded)).run(
        None, {"crops": crops}
    )
    tail, axis = graph.unit_out("embedded", "embeddings")
    biased = unbiased | axis | {"last_bias": -np.float32(spread) * np.asarray(features).mean(axis=0)}
    outputs = [graph.float_value("embeddings", DIMENSION)]
    path.write_bytes(with_card(graph.build("tiny", [*_nodes(), *tail], biased, pixels, outputs), FIELDS))
    return path


@pytest.fixture(scope="module")
def parent(held_out: HeldOut, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("parent") / "tiny.onnx", _weights(), held_out.crops)


@pytest.fixture(scope="module", params=["int8", "fp16"])
def quantised(request: pytest.FixtureRequest, parent: Path, held_out: HeldOut) -> Quantised:
    return _quantise(request.param, parent, held_out)


def _quantise(name: str, parent: Path, held_out: HeldOut) -> Quantised:
    if name == "int8":
        return quantise_int8(parent, held_out.crops[::2], held_out)
    return quantise_float16(parent, held_out)


def _embed(data: bytes, folder: Path, crops: Crops) -> Embeddings:
    file = folder / "quantised.onnx"
    file.write_bytes(data)
    return OnnxEmbedder(open_model(file, EmbedderCard, "cpu", 1)).embed(crops)


def test_a_quantised_file_keeps_the_contract(quantised: Quantised, held_out: HeldOut, tmp_path: Path) -> None:
    for batch in (1, 7):
        embeddings = _embed(quantised.data, tmp_path, held_out.crops[:batch])
        assert embeddings.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


def test_its_card_says_what_it_is_and_what_was_measured(
    quantised: Quantised, parent: Path, held_out: HeldOut, tmp_path: Path
) -> None:
    card, whole = quantised.card, check(parent)
    assert isinstance(whole, EmbedderCard)
    child, own = (_embed(data, tmp_path, held_out.crops) for data in (quantised.data, parent.read_bytes()))
    (tmp_path / "again.onnx").write_bytes(quantised.data)

    assert check(tmp_path / "again.onnx") == card
    assert card.name in {"tiny-int8", "tiny-fp16"}
    assert card.id != whole.id
    assert card.training.startswith("weights drawn at random; tiny quantised to ")
    assert (card.architecture, card.alignment, card.licence) == (whole.architecture, whole.alignment, whole.licence)
    assert card.thresholds.verification == 0.7
    assert card.thresholds.chosen_on == "those of tiny. Nothing."
    # Slowly: each face with itself, and every pair of faces; the parent's own results are not the child's.
    cosine = np.mean([one @ other for one, other in zip(child, own, strict=True)])
    assert [one.value for one in card.results] == pytest.approx(
        [cosine, _val(child, held_out), _val(own, held_out)], abs=1e-4
    )
    assert {one.command for one in card.results} == {"pytest"}


def _faces(embeddings: Embeddings, held_out: HeldOut) -> Faces:
    return Faces(embeddings, held_out.people, 0)


def _val(embeddings: Embeddings, held_out: HeldOut) -> float:
    rows = [(i, j) for i in range(len(embeddings)) for j in range(i)]
    distances = np.array([np.sum((embeddings[i] - embeddings[j]) ** 2) for i, j in rows], np.float32)
    same = np.array([held_out.people[i] == held_out.people[j] for i, j in rows])
    return metrics.validation_rate(distances, same, metrics.threshold_at(distances, same, 1e-3))


def test_it_may_be_compared_with_its_parent(
    quantised: Quantised, parent: Path, held_out: HeldOut, tmp_path: Path
) -> None:
    own = _faces(_embed(parent.read_bytes(), tmp_path, held_out.crops), held_out)

    (entry,) = quantised.card.compatible_with

    assert (entry.name, entry.id) == ("tiny", check(parent).id)
    assert entry.thresholds.identification is not None
    assert entry.thresholds.identification.references == PEOPLE - 1
    # A gallery of the parent becomes no less safe when the child searches it.
    assert entry.error_rates[0].fmr <= metrics.false_accept_rate(*every_pair(own, own), 0.7)
    assert entry.error_rates[0].measured_on == "48 places of a photograph"


@pytest.mark.parametrize(("first", "integers"), [(0, 3), (1, 2), (2, 1)])
def test_depthwise_and_the_first_convolutions_stay_in_float32(
    first: int, integers: int, parent: Path, held_out: HeldOut
) -> None:
    data = quantise_int8(parent, held_out.crops[::2], held_out, first).data

    whole = onnx.load_from_string(data).graph
    kernels = [tensor.data_type for tensor in whole.initializer if len(tensor.dims) == 4]
    assert kernels.count(TensorProto.INT8) == integers
    assert kernels.count(TensorProto.FLOAT) == 4 - integers


def test_a_quantised_file_is_smaller(quantised: Quantised, parent: Path) -> None:
    assert len(quantised.data) < 0.65 * parent.stat().st_size


def test_the_same_faces_give_the_same_file(quantised: Quantised, parent: Path, held_out: HeldOut) -> None:
    again = _quantise(quantised.card.name.removeprefix("tiny-"), parent, held_out)

    assert again.data == quantised.data


def test_channels_that_need_scales_of_their_own_are_refused(held_out: HeldOut, tmp_path: Path) -> None:
    # The same function: one channel in a thousand times larger numbers, and divided again behind.
    weights = _weights()
    weights["second"][0] *= 1000
    weights["third"][:, 0] /= 1000
    weights["third"][0] *= 1000
    weights["last"].reshape(32, -1)[0] /= 1000
    file = _write(tmp_path / "tiny.onnx", weights, held_out.crops)

    with pytest.raises(ExportRefused, match=r"tiny-int8 has a mean cosine of -?0\.\d+ to its parent and loses "):
        quantise_int8(file, held_out.crops[::2], held_out)

    assert [one.name for one in tmp_path.iterdir()] == ["tiny.onnx"]


def test_small_differences_of_large_numbers_are_refused_in_float16(held_out: HeldOut, tmp_path: Path) -> None:
    # Halves have eleven bits: of numbers around 40 a difference is known to 1/32. What tells faces apart is as small.
    weights = _weights()
    weights["second"] *= np.float32(0.05)
    weights["bias"] += 40
    file = _write(tmp_path / "tiny.onnx", weights, held_out.crops, spread=1)

    with pytest.raises(ExportRefused, match=r"tiny-fp16 has a mean cosine of 0\.\d+"):
        quantise_float16(file, held_out)

    assert [one.name for one in tmp_path.iterdir()] == ["tiny.onnx"]


@pytest.mark.parametrize("factor", [300, 1e7])
def test_numbers_that_halves_do_not_have_are_refused(factor: float, held_out: HeldOut, tmp_path: Path) -> None:
    # The squares of an L2 pooling: 300 is a half, 90,000 is none. Then the weights themselves.
    weights = _weights()
    weights["second"] *= np.float32(factor)
    file = _write(tmp_path / "tiny.onnx", weights, held_out.crops)

    with pytest.raises(ExportRefused, match="tiny-fp16 has a mean cosine of nan"):
        quantise_float16(file, held_out)


def test_a_file_that_was_changed_behind_its_card_is_refused(parent: Path, held_out: HeldOut, tmp_path: Path) -> None:
    model = onnx.load(parent)
    model.graph.node[4].name = "changed"
    onnx.save(model, tmp_path / "tiny.onnx")

    with pytest.raises(InvalidModel, match="was changed after its card was written"):
        quantise_float16(tmp_path / "tiny.onnx", held_out)
