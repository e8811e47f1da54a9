from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from models.calibration.between_models import EmbeddedByBoth
from models.calibration.thresholds import LabelledEmbeddings, cross_pairs
from models.conversion import graph
from models.conversion.card import read_checked_card, to_bytes_with_card
from models.errors import ExportRefused, InvalidModel
from models.evaluation.metrics.labelled_pairs import LabelledPairs
from models.release.quantise import ComparedFaces, QuantisationFaces, QuantisedModel, quantise_float16, quantise_int8
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import EmbedderCard, IdentificationThreshold
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.embedders.onnx import OnnxEmbedder

pytestmark = pytest.mark.slow

SIDE, DIMENSION, PEOPLE, PHOTOGRAPHS = 32, 16, 12, 4
Fields: TypeAlias = dict[str, Any]

FIELDS: Fields = {
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
def unseen(photographs: Path) -> ComparedFaces:
    """Return the faces that the figures on the card are measured on."""
    return _places(photographs, "48 places of a photograph", seed=0)


@pytest.fixture(scope="module")
def judged(photographs: Path) -> ComparedFaces:
    """Return the faces that decide whether a model is accepted."""
    return _places(photographs, "48 other places", seed=1)


@pytest.fixture(scope="module")
def faces(unseen: ComparedFaces, judged: ComparedFaces) -> QuantisationFaces:
    return QuantisationFaces(unseen.crops[::2], judged, unseen, "pytest")


def _places(photographs: Path, measured_on: str, seed: int) -> ComparedFaces:
    """Return crops of one photograph. Each place in it counts as a person. Crops of a place differ in brightness."""
    rng = np.random.default_rng(seed)
    whole = np.asarray(Image.open(photographs / "eileen_collins" / "astronaut.png").convert("RGB"))
    corners = np.repeat(rng.integers(0, 512 - 2 * SIDE, (PEOPLE, 2)), PHOTOGRAPHS, axis=0)
    crops = np.stack([whole[top : top + 2 * SIDE : 2, left : left + 2 * SIDE : 2] for top, left in corners])
    varied = np.clip(crops * rng.uniform(0.9, 1.1, (len(crops), 1, 1, 1)), 0, 255).astype(np.uint8)
    return ComparedFaces(varied, np.repeat(np.arange(PEOPLE), PHOTOGRAPHS), measured_on)


def _nodes() -> list[NodeProto]:
    """Return convolutions, a depthwise convolution, a residual sum, an L2 pooling and a last layer."""
    return [
        *graph.pixels_to_float("crops", "pixels"),
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
    """Return the weights without the bias of the last layer. `_write` adds this bias."""
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


def _write(path: Path, weights: Weights, crops: Crops, spread: float = 0.8, fields: Fields = FIELDS) -> Path:
    """Write the file of the network with these weights.

    spread: the share of the mean of the embeddings that the last bias subtracts. At 1 the embeddings have mean zero.
    """
    pixels, embedded = [graph.uint8_input("crops", SIDE, SIDE)], [graph.float_output("embedded", DIMENSION)]
    unbiased: graph.Weights = {**weights, "last_bias": np.zeros(DIMENSION, np.float32)}
    (features,) = ReferenceEvaluator(graph.build("tiny", _nodes(), unbiased, pixels, embedded)).run(
        None, {"crops": crops}
    )
    tail, axis = graph.scale_to_unit_length("embedded", "embeddings")
    biased = unbiased | axis | {"last_bias": -np.float32(spread) * np.asarray(features).mean(axis=0)}
    outputs = [graph.float_output("embeddings", DIMENSION)]
    path.write_bytes(to_bytes_with_card(graph.build("tiny", [*_nodes(), *tail], biased, pixels, outputs), fields))
    return path


@pytest.fixture(scope="module")
def parent(unseen: ComparedFaces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("parent") / "tiny.onnx", _weights(), unseen.crops)


@pytest.fixture(scope="module", params=["int8", "fp16"])
def quantised(request: pytest.FixtureRequest, parent: Path, faces: QuantisationFaces) -> QuantisedModel:
    return _quantise(request.param, parent, faces)


def _quantise(name: str, parent: Path, faces: QuantisationFaces) -> QuantisedModel:
    return quantise_int8(parent, faces) if name == "int8" else quantise_float16(parent, faces)


def _embed(data: bytes, folder: Path, crops: Crops) -> Embeddings:
    file = folder / "quantised.onnx"
    file.write_bytes(data)
    return OnnxEmbedder(open_model(file, EmbedderCard, Execution())).embed(crops)


def test_a_quantised_model_gives_float32_unit_vectors_for_any_batch_size(
    quantised: QuantisedModel, unseen: ComparedFaces, tmp_path: Path
) -> None:
    for batch_size in (1, 7):
        embeddings = _embed(quantised.data, tmp_path, unseen.crops[:batch_size])
        assert embeddings.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


def test_its_card_describes_it_and_holds_what_was_measured(
    quantised: QuantisedModel, parent: Path, unseen: ComparedFaces, tmp_path: Path
) -> None:
    card, parent_card = quantised.card, read_checked_card(parent)
    assert isinstance(parent_card, EmbedderCard)
    of_quantised, of_parent = (_embed(data, tmp_path, unseen.crops) for data in (quantised.data, parent.read_bytes()))
    (tmp_path / "again.onnx").write_bytes(quantised.data)

    assert read_checked_card(tmp_path / "again.onnx") == card
    assert card.name in {"tiny-int8", "tiny-fp16"}
    assert card.id != parent_card.id
    assert card.training.startswith("weights drawn at random; tiny quantised to ")
    for field in ("architecture", "alignment", "licence"):
        assert getattr(card, field) == getattr(parent_card, field)
    assert card.thresholds.verification == 0.7
    assert card.thresholds.chosen_on == "those of tiny. Nothing."
    # A slow and simple way: the two embeddings of each face, and every pair of faces. The results of the parent's card
    # are not inherited.
    cosine = np.mean([quantised_row @ row for quantised_row, row in zip(of_quantised, of_parent, strict=True)])
    assert [result.value for result in card.results] == pytest.approx(
        [cosine, _val(of_quantised, unseen), _val(of_parent, unseen)], abs=1e-4
    )
    assert {result.command for result in card.results} == {"pytest"}


def _val(embeddings: Embeddings, unseen: ComparedFaces) -> float:
    rows = [(i, j) for i in range(len(embeddings)) for j in range(i)]
    distances = np.array([np.sum((embeddings[i] - embeddings[j]) ** 2) for i, j in rows], np.float32)
    same = np.array([unseen.people[i] == unseen.people[j] for i, j in rows])
    return LabelledPairs(distances, same).val_at_fmr(1e-3)


def test_its_embeddings_can_be_compared_with_those_of_its_parent(
    quantised: QuantisedModel, parent: Path, unseen: ComparedFaces, tmp_path: Path
) -> None:
    of_parent, of_quantised = (
        LabelledEmbeddings(_embed(data, tmp_path, unseen.crops), unseen.people, 0)
        for data in (parent.read_bytes(), quantised.data)
    )
    chosen, measured = EmbeddedByBoth(of_parent, of_quantised, "").split_people()

    (entry,) = quantised.card.compatible_with

    assert (entry.name, entry.id) == ("tiny", read_checked_card(parent).id)
    assert entry.thresholds.identification is not None
    assert entry.thresholds.identification.references == PEOPLE // 2 - 1
    # The FMR of a gallery of the parent does not rise when the quantised model searches it.
    threshold = entry.thresholds.verification
    accepted_by_parent = cross_pairs(chosen.old, chosen.old).false_match_rate(0.7)
    assert cross_pairs(chosen.new, chosen.old).false_match_rate(threshold) <= accepted_by_parent
    assert entry.thresholds.chosen_on.startswith("24 faces of 6 people out of 48 places of a photograph; ")
    # The error rates are measured on the other half of the people.
    fmr = cross_pairs(measured.new, measured.old).false_match_rate(threshold)
    assert entry.error_rates[0].fmr == pytest.approx(fmr)
    assert entry.error_rates[0].measured_on == "24 faces of 6 people out of 48 places of a photograph"


def test_the_identification_threshold_between_the_two_is_not_above_the_parents_own(
    unseen: ComparedFaces, faces: QuantisationFaces, tmp_path: Path
) -> None:
    own = {"identification": {"threshold_sq_l2": 0.1, "fpir": 0.01, "references": 1000}}
    fields = FIELDS | {"thresholds": FIELDS["thresholds"] | own}
    parent = _write(tmp_path / "tiny.onnx", _weights(), unseen.crops, fields=fields)

    (entry,) = quantise_float16(parent, faces).card.compatible_with

    assert entry.thresholds.identification == IdentificationThreshold(**own["identification"])


@pytest.mark.parametrize(("float32_convolutions", "int8_kernels"), [(0, 3), (1, 2), (2, 1)])
def test_depthwise_and_the_first_convolutions_stay_in_float32(
    float32_convolutions: int, int8_kernels: int, parent: Path, faces: QuantisationFaces
) -> None:
    data = quantise_int8(parent, faces, float32_convolutions).data

    initializers = onnx.load_from_string(data).graph.initializer
    kernels = [tensor.data_type for tensor in initializers if len(tensor.dims) == 4]
    assert kernels.count(TensorProto.INT8) == int8_kernels
    assert kernels.count(TensorProto.FLOAT) == 4 - int8_kernels


def test_the_file_of_a_quantised_model_is_smaller(quantised: QuantisedModel, parent: Path) -> None:
    assert len(quantised.data) < 0.65 * parent.stat().st_size


def test_the_same_faces_give_the_same_file(quantised: QuantisedModel, parent: Path, faces: QuantisationFaces) -> None:
    again = _quantise(quantised.card.name.removeprefix("tiny-"), parent, faces)

    assert again.data == quantised.data


def test_a_model_whose_channels_need_different_scales_is_refused_in_int8(
    faces: QuantisationFaces, tmp_path: Path
) -> None:
    # The network computes the same function as before. But the numbers of one channel are a thousand times larger, and
    # the next layer divides them by a thousand.
    weights = _weights()
    weights["second"][0] *= 1000
    weights["third"][:, 0] /= 1000
    weights["third"][0] *= 1000
    weights["last"].reshape(32, -1)[0] /= 1000
    file = _write(tmp_path / "tiny.onnx", weights, faces.unseen.crops)

    with pytest.raises(
        ExportRefused,
        match=r"tiny-int8 has a mean cosine of -?0\.\d+ to its parent \(at least 0\.99 is needed\) and loses ",
    ):
        quantise_int8(file, faces)

    assert [file.name for file in tmp_path.iterdir()] == ["tiny.onnx"]


def test_a_model_with_small_differences_of_large_numbers_is_refused_in_float16(
    faces: QuantisationFaces, tmp_path: Path
) -> None:
    # A float16 number has eleven significant bits, so numbers near 40 are multiples of 1/32. The differences between
    # faces have the same size.
    weights = _weights()
    weights["second"] *= np.float32(0.05)
    weights["bias"] += 40
    file = _write(tmp_path / "tiny.onnx", weights, faces.unseen.crops, spread=1)

    with pytest.raises(ExportRefused, match=r"tiny-fp16 has a mean cosine of 0\.\d+"):
        quantise_float16(file, faces)

    assert [file.name for file in tmp_path.iterdir()] == ["tiny.onnx"]


@pytest.mark.parametrize("factor", [300, 1e7])
def test_a_model_with_numbers_that_are_too_large_for_float16_is_refused(
    factor: float, faces: QuantisationFaces, tmp_path: Path
) -> None:
    # With the factor 300, the squares of the L2 pooling are too large: 90,000. With 1e7, the weights are too large.
    weights = _weights()
    weights["second"] *= np.float32(factor)
    file = _write(tmp_path / "tiny.onnx", weights, faces.unseen.crops)

    with pytest.raises(ExportRefused, match="tiny-fp16 has a mean cosine of nan"):
        quantise_float16(file, faces)


def test_a_file_that_was_changed_after_its_card_was_written_is_refused(
    parent: Path, faces: QuantisationFaces, tmp_path: Path
) -> None:
    model = onnx.load(parent)
    model.graph.node[4].name = "changed"
    onnx.save(model, tmp_path / "tiny.onnx")

    with pytest.raises(InvalidModel, match="was changed after its card was written"):
        quantise_float16(tmp_path / "tiny.onnx", faces)
