"""Very small models, a folder of people, and a folder and a list of pairs in the form of LFW."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from models.conversion import graph
from models.conversion.card import to_bytes_with_card

ROOT = Path(__file__).parents[3]
PEOPLE, PHOTOGRAPHS = 20, 13
SIDE_PX = 16


def _write_tiny_model(path: Path, dimension: int, seed: int = 0) -> str:
    """Write an embedder that is one random matrix, and return its path. It is fast. Its accuracy is not tested."""
    weights = np.random.default_rng(seed).normal(size=(SIDE_PX * SIDE_PX * 3, dimension)).astype(np.float32)
    scaling, axis = graph.scale_to_unit_length("features", "embeddings")
    nodes = [
        *graph.pixels_to_float("crops", "pixels"),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["features"]),
        *scaling,
    ]
    model = graph.build(
        "tiny",
        nodes,
        {"matrix": weights, **axis},
        [graph.uint8_input("crops", SIDE_PX, SIDE_PX)],
        [graph.float_output("embeddings", dimension)],
    )
    fields = {"role": "embedder", "name": path.stem, "architecture": "matrix", "licence": "MIT", "training": "none"}
    alignment = {"kind": "five_point", "view": [0, 0, 112, 112], "height": SIDE_PX, "width": SIDE_PX}
    path.write_bytes(to_bytes_with_card(model, {**fields, "dimension": dimension, "alignment": alignment}))
    return str(path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the paths of two models, of 8 and 16 dimensions."""
    folder = tmp_path_factory.mktemp("models")
    return [_write_tiny_model(folder / f"tiny-{dimension}.onnx", dimension) for dimension in (16, 8)]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the paths of an old and a new model of the same dimension."""
    folder = tmp_path_factory.mktemp("twins")
    return [_write_tiny_model(folder / f"{name}.onnx", 16, seed) for seed, name in enumerate(("old", "new"))]


@pytest.fixture(scope="module")
def people(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 20 people with 13 small photographs each, of different brightness. Most labels are wrong."""
    folder = tmp_path_factory.mktemp("people")
    sources = [Image.open(file).convert("RGB") for file in sorted(photographs.glob("*/*.*"))]
    for source in sources:
        source.thumbnail((160, 160))
    for number in range(PEOPLE * PHOTOGRAPHS):
        file = folder / f"person-{number // PHOTOGRAPHS}" / f"{number}.bmp"
        file.parent.mkdir(exist_ok=True)
        sources[number // PHOTOGRAPHS % len(sources)].point(lambda value, n=number: value * (0.6 + n / 600)).save(file)
    return folder


@pytest.fixture
def images(photographs: Path, tmp_path: Path) -> Path:
    """Return a folder with two photographs of Obama and one of Biden, named as in LFW."""
    folder = tmp_path / "images"
    for image, source in (("O/O_0001.jpg", "obama.jpg"), ("O/O_0002.jpg", "obama2.jpg"), ("B/B_0001.jpg", "biden.jpg")):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(photographs.glob(f"*/{source}")), folder / image)
    return folder


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    """Return a list of two folds. Each fold has a pair of one person and a pair of two people."""
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nO\t1\t2\nO\t1\tB\t1\nO\t2\t1\nO\t2\tB\t1\n", "utf-8")
    return file


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run at the root of the repository, where `facenet-models` finds `var/models`."""
    monkeypatch.chdir(ROOT)
