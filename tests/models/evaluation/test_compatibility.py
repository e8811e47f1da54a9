import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.conversion.card import KEY, with_card
from models.errors import DatasetError, InvalidModel
from models.evaluation import compatibility, lfw, metrics, report
from models.evaluation.compatibility import Benchmark, read_benchmark
from models.evaluation.pairs import Pairs, read_pairs
from service.card import CARD
from service.distances import squared_l2, unit
from service.domain import Embeddings
from service.pipeline import ModelSource, PipelineOptions
from tests.pictures import meadow


@pytest.fixture
def images(photographs: Path, tmp_path: Path) -> Path:
    """Obama three times and Biden once, named as LFW names them; the third is in no pair."""
    for image, source in (
        ("O/O_0001.jpg", "obama/obama.jpg"),
        ("O/O_0002.jpg", "obama/obama2.jpg"),
        ("O/O_0003.jpg", "obama/obama3.jpg"),
        ("B/B_0001.jpg", "biden/biden.jpg"),
    ):
        file = tmp_path / "images" / image
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photographs / source, file)
    return tmp_path / "images"


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Two folds of a pair of one person and a pair of two."""
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nO\t1\t2\nO\t1\tB\t1\nO\t2\t1\nO\t2\tB\t1\n", "utf-8")
    return read_pairs(file)


@pytest.fixture
def copy(options: PipelineOptions, tmp_path: Path) -> PipelineOptions:
    """The same model as `options`, of another identity and name."""
    model = onnx.load(options.embedder.path)
    card = CARD.validate_json(next(one.value for one in model.metadata_props if one.key == KEY))
    model.graph.node[0].name = "copy"
    file = tmp_path / "copy.onnx"
    file.write_bytes(with_card(model, card.model_dump() | {"name": "copy"}))
    return replace(options, embedder=ModelSource(file))


def made_up(people: int = 40, each: int = 4, folds: int = 5, seed: int = 0) -> Benchmark:
    """Pairs of photographs that are nowhere."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), each)
    left, right = rng.integers(0, len(owners), (2, 600))
    right[:300] = left[:300] // each * each + rng.integers(0, each, 300)
    kept = left != right
    left, right = left[kept], right[kept]
    names = tuple(Path(f"{row}.jpg") for row in range(len(owners)))
    pairs = Pairs(names, left, right, owners[left] == owners[right], np.arange(len(left)) % folds)
    first = np.arange(people) * each
    return Benchmark(pairs, owners, first, np.setdiff1d(np.arange(len(owners)), first))


def vectors(benchmark: Benchmark, spread: float, seed: int) -> Embeddings:
    """Around the people, whose centres are the same for all seeds."""
    centres = np.random.default_rng(99).normal(size=(benchmark.people.max() + 1, 16))[benchmark.people]
    noise = np.random.default_rng(seed).normal(size=centres.shape)
    return unit((centres + spread * noise).astype(np.float32))


def test_each_pair_is_compared_both_ways_in_its_own_fold() -> None:
    benchmark = made_up()
    old, new = vectors(benchmark, 0.5, 1), vectors(benchmark, 0.7, 2)

    found = compatibility.meet(("new", new), ("old", old), benchmark)

    pairs = benchmark.pairs
    slowly = [
        (float(np.sum((new[a] - old[b]) ** 2)), bool(benchmark.people[a] == benchmark.people[b]), int(fold))
        for one, other in ((pairs.left, pairs.right), (pairs.right, pairs.left))
        for a, b, fold in zip(one, other, pairs.folds, strict=True)
    ]
    np.testing.assert_allclose(found.distances, [distance for distance, _, _ in slowly], atol=1e-5)
    assert found.same.tolist() == [same for _, same, _ in slowly]
    assert found.folds.tolist() == [fold for _, _, fold in slowly]


def test_rank_1_is_how_often_the_nearest_reference_is_of_the_right_person() -> None:
    benchmark = made_up()
    old, new = vectors(benchmark, 1.0, 1), vectors(benchmark, 1.5, 2)

    found = compatibility.meet(("new", new), ("old", old), benchmark)

    right = []
    for probe in benchmark.probes:
        nearest = min(benchmark.gallery, key=lambda row: squared_l2(new[[probe]], old[[row]]).item())
        right.append(benchmark.people[nearest] == benchmark.people[probe])
    assert 0 < found.rank_1 < 1
    assert found.rank_1 == pytest.approx(np.mean(right))


def test_within_one_model_the_figures_are_those_of_lfw() -> None:
    benchmark = made_up()
    old = vectors(benchmark, 1.0, 1)

    found = compatibility.meet(("old", old), ("old", old), benchmark).figures()

    expected = lfw.Report(benchmark.pairs, lfw.pair_distances(old, benchmark.pairs)).figures()
    for name in ("accuracy", "standard_error", "accuracies", "thresholds_sq_l2", "val_at_far_1e-3"):
        assert found[name] == pytest.approx(expected[name]), name


def test_the_three_meetings_are_each_of_its_own_models() -> None:
    benchmark = made_up()
    old, new = vectors(benchmark, 1.0, 1), vectors(benchmark, 0.5, 2)

    found = compatibility.compare(("old", old), ("new", new), benchmark)

    assert [one.title for one in found.meetings] == ["old against old", "new against new", "new against old"]
    assert found.old.rank_1 < found.across.rank_1 < found.new.rank_1
    header, *rows = found.rows()
    assert header[0] == "LFW: probes against gallery"
    assert rows[2][0] == "new against old"
    assert rows[2][3] == f"{100 * found.across.rank_1:.2f} %"
    assert all(len(row) == len(header) for row in rows)


def test_the_card_gets_the_figures_across() -> None:
    benchmark = made_up()
    found = compatibility.compare(("old", vectors(benchmark, 1.0, 1)), ("new", vectors(benchmark, 0.5, 2)), benchmark)

    accuracy, val, rank_1 = found.results("the command")

    assert accuracy.benchmark == "LFW View 2, accuracy, against old"
    assert accuracy.value == round(found.across.cross_validation.mean, 4)
    assert accuracy.standard_error is not None
    assert val.value == round(metrics.validation_rate(found.across.distances, found.across.same, val_d(found)), 4)
    assert rank_1.benchmark == "LFW, closed-set rank-1 of 40 references, against old"
    assert {one.command for one in (accuracy, val, rank_1)} == {"the command"}


def val_d(found: compatibility.Compatibility) -> float:
    return metrics.threshold_at(found.across.distances, found.across.same, 1e-3)


def test_it_is_written_as_figures_and_a_picture(tmp_path: Path) -> None:
    benchmark = made_up()
    found = compatibility.compare(("old", vectors(benchmark, 1.0, 1)), ("new", vectors(benchmark, 0.5, 2)), benchmark)

    report.write(found, tmp_path, "compatibility", {"old": "a", "new": "b"})

    content = json.loads((tmp_path / "compatibility.json").read_text("utf-8"))
    assert content["figures"]["references"] == 40
    assert [one["reference"] for one in content["figures"]["meetings"]] == ["old", "new", "old"]
    assert (tmp_path / "compatibility.png").read_bytes().startswith(b"\x89PNG")


def test_a_benchmark_holds_each_photograph_once(images: Path, pairs: Pairs) -> None:
    found = read_benchmark(images, pairs)

    names = [image.stem for image in found.pairs.images]
    assert names == ["B_0001", "O_0001", "O_0002", "O_0003"]
    assert found.people.tolist() == [0, 1, 1, 1]
    assert [names[row] for row in found.gallery] == ["O_0001"]
    assert [names[row] for row in found.probes] == ["O_0002", "O_0003"]
    assert [names[row] for row in found.pairs.left] == ["O_0001", "O_0001", "O_0002", "O_0002"]
    assert [names[row] for row in found.pairs.right] == ["O_0002", "B_0001", "O_0001", "B_0001"]


def test_a_folder_in_which_nobody_is_there_twice_is_refused(images: Path, pairs: Pairs) -> None:
    shutil.rmtree(images / "O")
    with pytest.raises(DatasetError, match="has two photographs"):
        read_benchmark(images, pairs)
    with pytest.raises(DatasetError, match="is not a folder"):
        read_benchmark(images / "nowhere", pairs)


def test_a_copy_of_a_model_is_compatible_with_it(
    options: PipelineOptions, copy: PipelineOptions, images: Path, pairs: Pairs
) -> None:
    benchmark = read_benchmark(images, pairs)
    embedded: list[None] = []

    found = compatibility.evaluate(options, copy, images, benchmark, lambda: embedded.append(None))

    assert len(embedded) == 8
    assert [one.title for one in found.meetings] == ["sface against sface", "copy against copy", "copy against sface"]
    for one in found.meetings:
        np.testing.assert_allclose(one.distances, found.old.distances, atol=1e-5)
        assert (one.distances < metrics.FACENET_THRESHOLD).tolist() == one.same.tolist()
        assert one.rank_1 == 1.0


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    (images / "O" / "O_0003.jpg").write_bytes(meadow())
    benchmark = read_benchmark(images, pairs)

    with pytest.raises(DatasetError, match=r"No face was found in 1 photographs, the first is .*O_0003\.jpg\. Give"):
        compatibility.evaluate(options, options, images, benchmark, lambda: None)


def test_a_list_of_one_fold_is_refused(options: PipelineOptions, images: Path, pairs: Pairs) -> None:
    benchmark = read_benchmark(images, replace(pairs, folds=np.zeros(4, np.int64)))

    with pytest.raises(DatasetError, match="The list has one fold"):
        compatibility.evaluate(options, options, images, benchmark, lambda: None)


def test_models_of_two_dimensions_are_refused_before_anything_is_embedded(
    options: PipelineOptions, models_dir: Path, images: Path, pairs: Pairs
) -> None:
    facenet = replace(options, embedder=ModelSource(models_dir / "facenet.onnx"))
    embedded: list[None] = []

    with pytest.raises(InvalidModel, match="sface has 128 dimensions and facenet has 512"):
        compatibility.evaluate(options, facenet, images, read_benchmark(images, pairs), lambda: embedded.append(None))
    assert not embedded


@pytest.mark.lfw
def test_the_benchmark_of_lfw_is_1680_people_and_their_7484_other_photographs(lfw: Path) -> None:
    found = read_benchmark(lfw / "images", read_pairs(lfw / "pairs.txt"))

    assert (len(found.gallery), len(found.probes)) == (1680, 7484)
    assert len(found.pairs.images) == len(set(found.pairs.images)) == len(found.people)
    assert found.people[found.pairs.left[:300]].tolist() == found.people[found.pairs.right[:300]].tolist()
