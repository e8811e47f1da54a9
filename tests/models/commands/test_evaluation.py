import io
import json
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from models.commands.app import app
from models.errors import DatasetError, InvalidModel
from service.domain.errors import InvalidOption

pytestmark = pytest.mark.slow

PEOPLE = 20
PIXELS = 16 * 16 * 3


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _written(out: Path, name: str) -> dict[str, object]:
    """Check that NAME.png is a picture, and return the figures of NAME.json."""
    picture = Image.open(io.BytesIO((out / f"{name}.png").read_bytes()))
    assert min(picture.size) > 50
    content = json.loads((out / f"{name}.json").read_text("utf-8"))
    assert content["settings"]["models"]
    assert content["settings"]["command"].startswith("facenet-models")
    figures: dict[str, object] = content["figures"]
    return figures


def test_verification_prints_the_results_as_the_card_has_them(tiny: list[str], people: Path, tmp_path: Path) -> None:
    printed = _run("verification", people, "--model", tiny[0], "--per-person", "100", "--out", tmp_path)

    figures = _written(tmp_path, "verification")
    card = tomllib.loads(printed[printed.index("[[models.") :])["models"]["tiny-16"]
    assert card["results"][0]["value"] == pytest.approx(figures["val_at_fmr_1e-3"], abs=1e-4)
    assert card["error_rates"][0]["fmr"] == pytest.approx(figures["fmr_at_1.242"], abs=1e-6)
    assert card["error_rates"][0]["measured_on"] == f"260 photographs of 20 people of {people.name}"


def test_verification_can_be_measured_at_another_fmr(tiny: list[str], people: Path, tmp_path: Path) -> None:
    options = ("--model", tiny[0], "--per-person", "13", "--fmr", "0.01", "--out", tmp_path)
    printed = _run("verification", people, *options)

    figures = _written(tmp_path, "verification")
    card = tomllib.loads(printed[printed.index("[[models.") :])["models"]["tiny-16"]
    assert card["results"][0]["value"] == pytest.approx(figures["val_at_fmr_1e-2"], abs=1e-4)
    assert card["results"][0]["benchmark"] == "people not trained on, VAL at FMR 0.01, mean of 5 splits"


def _points(out: Path, name: str) -> list[tuple[str, int]]:
    """Return the models and their numbers, in the order of the file."""
    points = _written(out, name)["val_at_fmr_1e-3"]
    assert isinstance(points, list)
    return [(point["model"], point["number"]) for point in points]


def test_models_are_ordered_by_their_dimension(tiny: list[str], people: Path, tmp_path: Path) -> None:
    printed = _run("dimensions", *tiny, "--identities", people, "--per-person", "24", "--out", tmp_path)

    assert _points(tmp_path, "dimensions") == [("tiny-8", 8), ("tiny-16", 16)]
    assert printed.index("tiny-8") < printed.index("tiny-16")


def test_the_cost_of_a_model_is_counted_in_its_file(tiny: list[str], people: Path, tmp_path: Path) -> None:
    _run("tradeoff", tiny[0], "--identities", people, "--per-person", "24", "--out", tmp_path)

    assert _points(tmp_path, "tradeoff") == [("tiny-16", 16 * PIXELS)]


def test_a_learning_curve_has_the_given_amounts(tiny: list[str], people: Path, tmp_path: Path) -> None:
    options = ("--identities", people, "--per-person", "24", "--amount", "images", "--out", tmp_path)

    printed = _run("learning-curve", f"400={tiny[0]}", *options)

    assert "images" in printed
    assert _points(tmp_path, "learning-curve") == [("tiny-16", 400)]


def test_a_roc_can_be_limited_to_listed_people(tiny: list[str], people: Path, tmp_path: Path) -> None:
    only = tmp_path / "only.txt"
    only.write_text("\n".join(f"person-{number}" for number in range(PEOPLE)), "utf-8")

    _run("roc", tiny[1], "--identities", people, "--only", only, "--per-person", "24", "--out", tmp_path)

    curves = _written(tmp_path, "roc")["curves"]
    assert isinstance(curves, list)
    assert [curve["model"] for curve in curves] == ["tiny-8"]


def test_the_cluster_of_a_person_is_shown(photographs: Path, tmp_path: Path) -> None:
    printed = _run("cluster", photographs, "--person", "obama", "--out", tmp_path)

    assert _written(tmp_path, "cluster")["size"] == 5
    assert "100.0 % (5 of 5)" in printed


def test_the_evaluations_on_pairs_take_a_folder_and_a_list(images: Path, pairs_file: Path, tmp_path: Path) -> None:
    for command in ("quality", "bytes", "errors"):
        _run(command, "--images", images, "--pairs", pairs_file, "--out", tmp_path)

        assert _written(tmp_path, command)


def test_cross_validation_needs_two_folds_and_image_quality_needs_one(images: Path, tmp_path: Path) -> None:
    one_fold = tmp_path / "one_fold.txt"
    one_fold.write_text("1\nO\t1\t2\nO\t1\tB\t1\n", "utf-8")
    options = ("--images", images, "--pairs", one_fold, "--out", tmp_path)

    _run("quality", *options)

    for command in ("lfw", "bytes", "errors"):
        with pytest.raises(DatasetError, match="The list has one fold"):
            _run(command, *options)


def test_lfw_writes_which_crop_it_measured(images: Path, pairs_file: Path, tmp_path: Path) -> None:
    printed = _run("lfw", "--images", images, "--pairs", pairs_file, "--out", tmp_path)

    assert "100.00 ± 0.00 %" in printed
    settings = json.loads((tmp_path / "lfw.json").read_text("utf-8"))["settings"]
    assert settings["crop"] == "aligned"
    assert settings["command"].split()[0] == "facenet-models"

    with pytest.raises(DatasetError, match="--crop centre is for LFW's own photographs"):
        _run("lfw", "--images", images, "--pairs", pairs_file, "--crop", "centre", "--out", tmp_path)


def test_youtube_faces_needs_its_list_of_splits(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"splits\.txt cannot be read"):
        _run("ytf", tmp_path)


@pytest.mark.parametrize("text", ["compact.onnx", "=compact.onnx", "many=compact.onnx", "0=compact.onnx", "400="])
def test_a_text_that_is_not_an_amount_and_a_model_is_refused(text: str, people: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is not AMOUNT=MODEL, such as 400=compact-400\.onnx"):
        _run("learning-curve", text, "--identities", people, "--out", tmp_path / "out")


def test_a_missing_model_is_refused_before_any_model_is_measured(tiny: list[str], people: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"nowhere\.onnx is missing"):
        _run("roc", tiny[0], "nowhere.onnx", "--identities", people, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_clustering_writes_the_numbers_of_each_sample_size(tiny: list[str], people: Path, tmp_path: Path) -> None:
    sizes, how = ("--faces", "20", "--faces", "50"), ("--method", "hdbscan", "--draws", "2", "--per-person", "5")
    printed = _run("clustering", people, "--model", tiny[0], *sizes, *how, "--out", tmp_path)

    points = _written(tmp_path, "clustering")["points"]
    assert isinstance(points, list)
    assert [(point["faces"], point["people"]) for point in points] == [(20, 4), (50, 10)]
    assert printed.count("hdbscan") == 2


def test_a_model_without_a_clustering_threshold_needs_the_option(tiny: list[str], people: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="takes either a threshold"):
        _run("cluster", people, "--model", tiny[0], "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
