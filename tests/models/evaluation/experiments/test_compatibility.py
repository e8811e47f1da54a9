import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.conversion.card import CARD_KEY, to_bytes_with_card
from models.errors import DatasetError, InvalidModel
from models.evaluation.data.pairs import PairList, read_pair_lists
from models.evaluation.experiments.compatibility import (
    Benchmark,
    compare_models,
    compare_probes_with_references,
    evaluate_compatibility,
    read_benchmark,
)
from models.evaluation.experiments.lfw import LfwReport
from models.evaluation.reports.report import write_report
from service.domain.distances import FACENET_THRESHOLD_SQ_L2, squared_l2, unit
from service.domain.embedding import Embeddings
from service.model_files.card import CARD_ADAPTER
from service.model_files.catalogue import ModelSource
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow


@pytest.fixture
def images(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with three photographs of Obama and one of Biden, with file names as in LFW.

    The third photograph of Obama is in no pair.
    """
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
def copy(options: PipelineOptions, tmp_path: Path) -> PipelineOptions:
    """Return the options with a copy of the model, which has another name and identity."""
    model = onnx.load(options.embedder.path)
    card = CARD_ADAPTER.validate_json(next(entry.value for entry in model.metadata_props if entry.key == CARD_KEY))
    model.graph.node[0].name = "copy"
    file = tmp_path / "copy.onnx"
    file.write_bytes(to_bytes_with_card(model, card.model_dump() | {"name": "copy"}))
    return replace(options, embedder=ModelSource(file))


def random_benchmark(people: int = 40, each: int = 4, folds: int = 5, seed: int = 0) -> Benchmark:
    """Return pairs of photographs that do not exist."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), each)
    left, right = rng.integers(0, len(owners), (2, 600))
    right[:300] = left[:300] // each * each + rng.integers(0, each, 300)
    kept = left != right
    left, right = left[kept], right[kept]
    names = tuple(Path(f"{row}.jpg") for row in range(len(owners)))
    pair_list = PairList(names, left, right, owners[left] == owners[right], np.arange(len(left)) % folds)
    first = np.arange(people) * each
    return Benchmark(pair_list, owners, first, np.setdiff1d(np.arange(len(owners)), first))


def random_embeddings(benchmark: Benchmark, spread: float, seed: int) -> Embeddings:
    """Return embeddings near the centres of the people. The centres are the same for all seeds."""
    centres = np.random.default_rng(99).normal(size=(benchmark.people.max() + 1, 16))[benchmark.people]
    noise = np.random.default_rng(seed).normal(size=centres.shape)
    return unit((centres + spread * noise).astype(np.float32))


def test_each_pair_is_compared_in_two_directions_within_its_fold() -> None:
    benchmark = random_benchmark()
    old, new = random_embeddings(benchmark, 0.5, 1), random_embeddings(benchmark, 0.7, 2)

    result = compare_probes_with_references(("new", new), ("old", old), benchmark)

    pair_list = benchmark.pair_list
    expected = [
        (float(np.sum((new[a] - old[b]) ** 2)), bool(benchmark.people[a] == benchmark.people[b]), int(fold))
        for probes, references in (
            (pair_list.left, pair_list.right),
            (pair_list.right, pair_list.left),
        )
        for a, b, fold in zip(probes, references, pair_list.folds, strict=True)
    ]
    np.testing.assert_allclose(result.pairs.distances, [distance for distance, _, _ in expected], atol=1e-5)
    assert result.pairs.same.tolist() == [same for _, same, _ in expected]
    assert result.folds.tolist() == [fold for _, _, fold in expected]


def test_rank_1_is_the_share_of_probes_whose_nearest_reference_is_of_the_right_person() -> None:
    benchmark = random_benchmark()
    old, new = random_embeddings(benchmark, 1.0, 1), random_embeddings(benchmark, 1.5, 2)

    result = compare_probes_with_references(("new", new), ("old", old), benchmark)

    correct = []
    for probe in benchmark.probes:
        nearest = min(benchmark.gallery, key=lambda row: squared_l2(new[[probe]], old[[row]]).item())
        correct.append(benchmark.people[nearest] == benchmark.people[probe])
    assert 0 < result.rank_1 < 1
    assert result.rank_1 == pytest.approx(np.mean(correct))


def test_within_one_model_the_numbers_are_those_of_lfw() -> None:
    benchmark = random_benchmark()
    old = random_embeddings(benchmark, 1.0, 1)

    result = compare_probes_with_references(("old", old), ("old", old), benchmark).numbers()

    expected = LfwReport(benchmark.pair_list, benchmark.pair_list.compare(old)).numbers()
    for name in ("accuracy", "standard_error", "accuracies", "thresholds_sq_l2", "val_at_fmr_1e-3"):
        assert result[name] == pytest.approx(expected[name]), name


def test_old_and_new_are_compared_with_themselves_and_with_each_other() -> None:
    benchmark = random_benchmark()
    old, new = random_embeddings(benchmark, 1.0, 1), random_embeddings(benchmark, 0.5, 2)

    result = compare_models(("old", old), ("new", new), benchmark)

    assert [model_pair.title for model_pair in result.model_pairs] == [
        "old against old",
        "new against new",
        "new against old",
    ]
    assert result.old.rank_1 < result.across.rank_1 < result.new.rank_1
    header, *rows = result.rows()
    assert header[0] == "LFW: probes against gallery"
    assert rows[2][0] == "new against old"
    assert rows[2][3] == f"{100 * result.across.rank_1:.2f} %"
    assert all(len(row) == len(header) for row in rows)


def test_the_card_gets_the_results_of_new_against_old() -> None:
    benchmark = random_benchmark()
    result = compare_models(
        ("old", random_embeddings(benchmark, 1.0, 1)), ("new", random_embeddings(benchmark, 0.5, 2)), benchmark
    )

    accuracy, val, rank_1 = result.results("the command")

    assert accuracy.benchmark == "LFW View 2, accuracy, against old"
    assert accuracy.value == round(result.across.cross_validation.accuracy.value, 4)
    assert accuracy.standard_error is not None
    assert val.value == round(result.across.pairs.val_at_fmr(1e-3), 4)
    assert rank_1.benchmark == "LFW, closed-set rank-1 of 40 references, against old"
    assert {row.command for row in (accuracy, val, rank_1)} == {"the command"}


def test_the_report_is_written_as_numbers_and_a_picture(tmp_path: Path) -> None:
    benchmark = random_benchmark()
    result = compare_models(
        ("old", random_embeddings(benchmark, 1.0, 1)), ("new", random_embeddings(benchmark, 0.5, 2)), benchmark
    )

    write_report(result, tmp_path, "compatibility", {"old": "a", "new": "b"})

    content = json.loads((tmp_path / "compatibility.json").read_text("utf-8"))
    assert content["figures"]["references"] == 40
    assert [model_pair["reference"] for model_pair in content["figures"]["model_pairs"]] == ["old", "new", "old"]
    assert (tmp_path / "compatibility.png").read_bytes().startswith(b"\x89PNG")


def test_a_benchmark_holds_each_photograph_once(images: Path, pair_list: PairList) -> None:
    result = read_benchmark(images, pair_list)

    names = [image.stem for image in result.pair_list.images]
    assert names == ["B_0001", "O_0001", "O_0002", "O_0003"]
    assert result.people.tolist() == [0, 1, 1, 1]
    assert [names[row] for row in result.gallery] == ["O_0001"]
    assert [names[row] for row in result.probes] == ["O_0002", "O_0003"]
    assert [names[row] for row in result.pair_list.left] == ["O_0001", "O_0001", "O_0002", "O_0002"]
    assert [names[row] for row in result.pair_list.right] == ["O_0002", "B_0001", "O_0001", "B_0001"]


def test_a_folder_in_which_nobody_has_two_photographs_is_refused(images: Path, pair_list: PairList) -> None:
    shutil.rmtree(images / "O")
    with pytest.raises(DatasetError, match="has two photographs"):
        read_benchmark(images, pair_list)
    with pytest.raises(DatasetError, match="is not a folder"):
        read_benchmark(images / "nowhere", pair_list)


def test_a_copy_of_a_model_is_compatible_with_it(
    options: PipelineOptions, copy: PipelineOptions, images: Path, pair_list: PairList
) -> None:
    benchmark = read_benchmark(images, pair_list)
    embedded: list[None] = []

    result = evaluate_compatibility(options, copy, images, benchmark, lambda: embedded.append(None))

    assert len(embedded) == 8
    assert [model_pair.title for model_pair in result.model_pairs] == [
        "sface against sface",
        "copy against copy",
        "copy against sface",
    ]
    for model_pair in result.model_pairs:
        pairs = model_pair.pairs
        np.testing.assert_allclose(pairs.distances, result.old.pairs.distances, atol=1e-5)
        assert (pairs.distances < FACENET_THRESHOLD_SQ_L2).tolist() == pairs.same.tolist()
        assert model_pair.rank_1 == 1.0


def test_a_photograph_without_a_face_is_an_error(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    (images / "O" / "O_0003.jpg").write_bytes(png_without_face())
    benchmark = read_benchmark(images, pair_list)

    with pytest.raises(DatasetError, match=r"No face was found in 1 photographs\. The first is .*O_0003\.jpg\. Give"):
        evaluate_compatibility(options, options, images, benchmark, lambda: None)


def test_a_list_of_one_fold_is_refused(options: PipelineOptions, images: Path, pair_list: PairList) -> None:
    benchmark = read_benchmark(images, replace(pair_list, folds=np.zeros(4, np.int64)))

    with pytest.raises(DatasetError, match="The list has one fold"):
        evaluate_compatibility(options, options, images, benchmark, lambda: None)


def test_models_of_two_dimensions_are_refused_before_anything_is_embedded(
    options: PipelineOptions, models_dir: Path, images: Path, pair_list: PairList
) -> None:
    facenet = replace(options, embedder=ModelSource(models_dir / "facenet.onnx"))
    embedded: list[None] = []

    with pytest.raises(InvalidModel, match="sface has 128 dimensions and facenet has 512"):
        evaluate_compatibility(
            options, facenet, images, read_benchmark(images, pair_list), lambda: embedded.append(None)
        )
    assert not embedded


@pytest.mark.lfw
def test_the_benchmark_of_lfw_is_1680_people_and_their_7484_other_photographs(lfw: Path) -> None:
    result = read_benchmark(lfw / "images", read_pair_lists(lfw / "pairs.txt"))

    assert (len(result.gallery), len(result.probes)) == (1680, 7484)
    assert len(result.pair_list.images) == len(set(result.pair_list.images)) == len(result.people)
    assert result.people[result.pair_list.left[:300]].tolist() == result.people[result.pair_list.right[:300]].tolist()
