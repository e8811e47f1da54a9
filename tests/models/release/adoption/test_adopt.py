"""A published file becomes a model file that computes the same, with thresholds that were measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from models.calibration.thresholds import LabelledEmbeddings
from models.conversion.card import read_checked_card
from models.errors import AdoptionRefused, DatasetError
from models.release.adoption.adopt import Adoption, adopt
from models.release.adoption.convention import PixelConvention
from models.release.adoption.people import FMR, MeasuredPeople
from models.release.adoption.published import PublishedNetwork
from models.release.candidate import open_candidate_file
from service.domain.face import Crops
from service.model_files.card import BoxAlignment, FivePointAlignment
from tests.models.release.adoption.conftest import SIDE_PX, Publish

pytestmark = pytest.mark.slow  # each card is measured

PEOPLE, FACES = 150, 4
CONVENTION = PixelConvention.of([120, 110, 100], [60, 70, 80], "bgr")


def faces_of_people(spread: float) -> LabelledEmbeddings:
    """Return faces of made-up people. spread: of the faces of one person."""
    random = np.random.default_rng(0)
    centres = np.repeat(random.normal(size=(PEOPLE, 32)), FACES, axis=0)
    faces = (centres + spread * random.normal(size=centres.shape)).astype(np.float32)
    return LabelledEmbeddings(
        faces / np.linalg.norm(faces, axis=1, keepdims=True), np.repeat(np.arange(PEOPLE), FACES), 0
    )


def people(spread: float = 0.3) -> MeasuredPeople:
    return MeasuredPeople(lambda _file: faces_of_people(spread), "people", references=100, fpir=0.01)


def adoption(network: PublishedNetwork, convention: PixelConvention = CONVENTION) -> Adoption:
    alignment = FivePointAlignment(view=(0, 0, 112, 112), height=network.height, width=network.width)
    return Adoption(network, convention, alignment, "theirs", "MIT", "by others")


def noise(count: int = 7) -> Crops:
    return np.random.default_rng(1).integers(0, 256, (count, SIDE_PX, SIDE_PX, 3), np.uint8)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch": "n"},
        {"channels_first": False},
        {"lists_weights": True, "opset": 9},
        {"opset": 20},
    ],
    ids=["fixed batch", "any batch", "channels last", "old exporter", "new operators"],
)
def test_the_model_file_computes_the_same_for_a_batch_of_any_size(
    publish: Publish, tmp_path: Path, changes: dict[str, object]
) -> None:
    network = PublishedNetwork.read(publish(**changes))
    card = adopt(adoption(network), people(), tmp_path / "theirs.onnx")
    assert read_checked_card(tmp_path / "theirs.onnx") == card
    embedder = open_candidate_file(tmp_path / "theirs.onnx")
    np.testing.assert_allclose(embedder.embed(noise()), network.embed(CONVENTION.apply(noise())), atol=1e-5)


def test_the_card_has_what_was_measured(publish: Publish, tmp_path: Path) -> None:
    card = adopt(adoption(PublishedNetwork.read(publish())), people(), tmp_path / "theirs.onnx")
    assert card.calibration is not None
    assert card.calibration.fmr(card.thresholds.verification) == pytest.approx(FMR, rel=0.1)
    assert card.thresholds.identification is not None
    assert card.clustering is not None
    assert "600 photographs of 150 people of people" in card.thresholds.chosen_on
    assert (card.name, card.licence, card.training) == ("theirs", "MIT", "by others")


def test_a_network_that_does_not_tell_people_apart_is_refused_and_nothing_is_written(
    publish: Publish, tmp_path: Path
) -> None:
    with pytest.raises(AdoptionRefused, match="Check --mean, --std, --colour and --alignment"):
        adopt(adoption(PublishedNetwork.read(publish())), people(spread=3), tmp_path / "theirs.onnx")
    assert not (tmp_path / "theirs.onnx").exists()


def test_too_few_people_for_the_threshold_are_refused(publish: Publish, tmp_path: Path) -> None:
    few = faces_of_people(spread=0.3).take_first(2, np.arange(110))
    with pytest.raises(DatasetError, match=r"to measure an FMR of 0\.1%"):
        adopt(
            adoption(PublishedNetwork.read(publish())),
            MeasuredPeople(lambda _file: few, "people", references=100, fpir=0.01),
            tmp_path / "theirs.onnx",
        )


def test_a_network_whose_faces_change_each_other_is_refused(publish: Publish, tmp_path: Path) -> None:
    network = PublishedNetwork.read(publish(batch="n"))
    mixed = _subtract_the_mean_of_the_batch(network.model)
    with pytest.raises(AdoptionRefused, match="differ from those of the published file"):
        adopt(adoption(replace(network, model=mixed)), people(), tmp_path / "theirs.onnx")


def _subtract_the_mean_of_the_batch(model: ModelProto) -> ModelProto:
    changed = ModelProto()
    changed.CopyFrom(model)
    changed.graph.node[-1].output[0] = "of_each"
    changed.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["of_each"], ["of_batch"], axes=[0]),
            helper.make_node("Mul", ["of_batch", "half"], ["half_of_batch"]),
            helper.make_node("Sub", ["of_each", "half_of_batch"], ["features"]),
        ]
    )
    changed.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    return changed


def test_a_network_of_512_numbers_computes_what_the_zoo_computes(models_dir: Path, tmp_path: Path) -> None:
    """The network of facenet-pytorch: float32 in, (pixel - 127.5) / 128, the box with a margin, 512 numbers out."""
    published = tmp_path / "published.onnx"
    onnx.save(_without_pixels(onnx.load(models_dir / "facenet.onnx")), published)
    network = PublishedNetwork.read(published)
    box = BoxAlignment(margin=0.15, height=160, width=160)
    named = Adoption(network, PixelConvention.of([127.5], [128], "rgb"), box, "theirs", "MIT", "by others")
    card = adopt(named, people(), tmp_path / "theirs.onnx")
    assert card.dimension == 512
    crops = np.random.default_rng(1).integers(0, 256, (3, 160, 160, 3), np.uint8)
    ours, theirs = (open_candidate_file(file) for file in (models_dir / "facenet.onnx", tmp_path / "theirs.onnx"))
    np.testing.assert_allclose(theirs.embed(crops), ours.embed(crops), atol=1e-5)


def _without_pixels(model: ModelProto) -> ModelProto:
    """Return the network of the zoo as somebody would publish it: from scaled numbers, channels first."""
    (first,) = (place for place, node in enumerate(model.graph.node) if "input" in node.output)
    nodes = list(model.graph.node[first + 1 :])
    image = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["n", 3, 160, 160])
    read = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    graph = helper.make_graph(nodes, "published", [image], list(model.graph.output), weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
