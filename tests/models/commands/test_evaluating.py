import io
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image
from typer.testing import CliRunner

from models.commands.evaluating import app
from models.conversion import graph
from models.conversion.card import with_card
from models.errors import DatasetError, InvalidModel
from service.errors import InvalidOption

ROOT = Path(__file__).parents[3]
PEOPLE, EACH = 20, 13
SIDE_PX = 16


def _tiny(path: Path, dimension: int) -> Path:
    """An embedder that is one random matrix: it costs nothing, and what it says does not matter here."""
    weights = np.random.default_rng(dimension).normal(size=(SIDE_PX * SIDE_PX * 3, dimension)).astype(np.float32)
    tail, axis = graph.unit_out("features", "embeddings")
    nodes = [
        *graph.pixels_in("crops", "pixels"),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["features"]),
        *tail,
    ]
    model = graph.build(
        "tiny",
        nodes,
        {"matrix": weights, **axis},
        [graph.pixels_value("crops", SIDE_PX, SIDE_PX)],
        [graph.float_value("embeddings", dimension)],
    )
    fields = {"role": "embedder", "name": path.stem, "architecture": "matrix", "licence": "MIT", "training": "none"}
    alignment = {"kind": "five_point", "view": [0, 0, 112, 112], "height": SIDE_PX, "width": SIDE_PX}
    path.write_bytes(with_card(model, {**fields, "dimension": dimension, "alignment": alignment}))
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Models of 8 and 16 dimensions."""
    folder = tmp_path_factory.mktemp("models")
    return [str(_tiny(folder / f"tiny-{dimension}.onnx", dimension)) for dimension in (16, 8)]


@pytest.fixture(scope="module")
def people(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty people with 13 small photographs each, no two equally bright; few are who they are said."""
    folder = tmp_path_factory.mktemp("people")
    sources = [Image.open(file).convert("RGB") for file in sorted(photographs.glob("*/*.*"))]
    for source in sources:
        source.thumbnail((160, 160))
    for number in range(PEOPLE * EACH):
        file = folder / f"person-{number // EACH}" / f"{number}.bmp"
        file.parent.mkdir(exist_ok=True)
        sources[number // EACH % len(sources)].point(lambda value, n=number: value * (0.6 + n / 600)).save(file)
    return folder


@pytest.fixture
def images(photographs: Path, tmp_path: Path) -> Path:
    """Obama twice and Biden, named as LFW names them."""
    folder = tmp_path / "images"
    for image, source in (("O/O_0001.jpg", "obama.jpg"), ("O/O_0002.jpg", "obama2.jpg"), ("B/B_0001.jpg", "biden.jpg")):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(photographs.glob(f"*/{source}")), folder / image)
    return folder


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    """Two folds of a pair of one person and a pair of two."""
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nO\t1\t2\nO\t1\tB\t1\nO\t2\t1\nO\t2\tB\t1\n", "utf-8")
    return file


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `facenet-models` finds `var/models`."""
    monkeypatch.chdir(ROOT)


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _written(out: Path, name: str) -> dict[str, object]:
    """The figures, once the picture is found to be one."""
    picture = Image.open(io.BytesIO((out / f"{name}.png").read_bytes()))
    assert min(picture.size) > 50
    content = json.loads((out / f"{name}.json").read_text("utf-8"))
    assert content["settings"]["models"]
    assert content["settings"]["command"].startswith("facenet-models")
    figures: dict[str, object] = content["figures"]
    return figures


def test_verification_prints_what_the_card_holds(tiny: list[str], people: Path, tmp_path: Path) -> None:
    printed = _run("verification", people, "--model", tiny[0], "--per-person", "100", "--out", tmp_path)

    figures = _written(tmp_path, "verification")
    card = tomllib.loads(printed[printed.index("[[models.") :])["models"]["tiny-16"]
    assert card["results"][0]["value"] == pytest.approx(figures["val_at_far_1e-3"], abs=1e-4)
    assert card["error_rates"][0]["fmr"] == pytest.approx(figures["fmr_at_1.242"], abs=1e-6)
    assert card["error_rates"][0]["measured_on"] == f"260 photographs of 20 people of {people.name}"


def _points(out: Path, name: str) -> list[tuple[str, int]]:
    """Models and their numbers, in the order in which they were written."""
    points = _written(out, name)["val_at_far_1e-3"]
    assert isinstance(points, list)
    return [(one["model"], one["number"]) for one in points]


def test_models_are_measured_beside_each_other(tiny: list[str], people: Path, tmp_path: Path) -> None:
    printed = _run("dimensions", *tiny, "--identities", people, "--per-person", "24", "--out", tmp_path)

    assert _points(tmp_path, "dimensions") == [("tiny-8", 8), ("tiny-16", 16)]
    assert printed.index("tiny-8") < printed.index("tiny-16")


def test_the_cost_of_a_model_is_counted_in_its_file(tiny: list[str], people: Path, tmp_path: Path) -> None:
    _run("tradeoff", tiny[0], "--identities", people, "--per-person", "24", "--out", tmp_path)

    assert _points(tmp_path, "tradeoff") == [("tiny-16", 16 * SIDE_PX * SIDE_PX * 3)]


def test_a_learning_curve_is_of_the_amounts_that_are_given(tiny: list[str], people: Path, tmp_path: Path) -> None:
    options = ("--identities", people, "--per-person", "24", "--amount", "images", "--out", tmp_path)

    printed = _run("learning-curve", f"400={tiny[0]}", *options)

    assert "images" in printed
    assert _points(tmp_path, "learning-curve") == [("tiny-16", 400)]


def test_curves_are_of_the_people_that_are_listed(tiny: list[str], people: Path, tmp_path: Path) -> None:
    only = tmp_path / "only.txt"
    only.write_text("\n".join(f"person-{number}" for number in range(PEOPLE)), "utf-8")

    _run("roc", tiny[1], "--identities", people, "--only", only, "--per-person", "24", "--out", tmp_path)

    curves = _written(tmp_path, "roc")["curves"]
    assert isinstance(curves, list)
    assert [one["model"] for one in curves] == ["tiny-8"]


def test_a_cluster_is_shown(photographs: Path, tmp_path: Path) -> None:
    printed = _run("cluster", photographs, "--person", "obama", "--out", tmp_path)

    assert _written(tmp_path, "cluster")["size"] == 5
    assert "100.0 % (5 of 5)" in printed


def test_lfw_s_evaluations_take_a_folder_and_a_list(images: Path, pairs_file: Path, tmp_path: Path) -> None:
    for command in ("quality", "bytes", "errors"):
        _run(command, "--images", images, "--pairs", pairs_file, "--out", tmp_path)

        assert _written(tmp_path, command)


def test_lfw_says_which_crop_it_measured(images: Path, pairs_file: Path, tmp_path: Path) -> None:
    printed = _run("lfw", "--images", images, "--pairs", pairs_file, "--out", tmp_path)

    assert "100.00 ± 0.00 %" in printed
    assert json.loads((tmp_path / "lfw.json").read_text("utf-8"))["settings"]["crop"] == "aligned"

    with pytest.raises(DatasetError, match="The fixed crop is for LFW's own photographs"):
        _run("lfw", "--images", images, "--pairs", pairs_file, "--crop", "centre", "--out", tmp_path)


def test_youtube_faces_takes_its_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"splits\.txt is not a list of pairs"):
        _run("ytf", tmp_path)


@pytest.mark.parametrize("text", ["compact.onnx", "=compact.onnx", "many=compact.onnx", "0=compact.onnx", "400="])
def test_an_amount_that_is_none_is_refused(text: str, people: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not AMOUNT=MODEL, such as 400=compact-400\.onnx"):
        _run("learning-curve", text, "--identities", people, "--out", tmp_path / "out")


def test_a_model_that_is_missing_is_refused_before_any_is_measured(
    tiny: list[str], people: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidModel, match=r"nowhere\.onnx is not an ONNX file with a valid card"):
        _run("roc", tiny[0], "nowhere.onnx", "--identities", people, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_threshold_for_clustering_needs_one(tiny: list[str], people: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="takes either a threshold"):
        _run("cluster", people, "--model", tiny[0], "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
