from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from models.errors import DatasetError
from models.preparation.cropping import AlignedCropping
from models.preparation.folder import plan_shards, read_folder
from models.preparation.shard_making import FacePreparer, make_shards
from models.preparation.shard_records import ShardRecord, read_embeddings
from service.domain.distances import unit
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.card import EmbedderCard, FivePointAlignment
from service.pipeline.alignment import Aligner
from tests.support.full_disk import simulate_full_disk
from tests.support.sample_images import encode_png

SMALL = FivePointAlignment(view=(-8, -8, 120, 120), height=16, width=16)

State = dict[str, tuple[bytes, int]]


class _MeanColourEmbedder:
    """An embedder that returns the mean colour of each crop."""

    card = EmbedderCard(
        name="mean-colour", id="0" * 64, architecture="", licence="", training="", dimension=3, alignment=SMALL
    )

    def embed(self, crops: Crops) -> Embeddings:
        return unit(crops.mean(axis=(1, 2), dtype=np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of six people with two canvases of noise each. A shard holds two people."""
    for seed, file in enumerate(f"{person}/{name}.png" for person in "abcdef" for name in "12"):
        _write_noise(tmp_path / "canvases" / file, seed)
    return tmp_path / "canvases"


def _write_noise(file: Path, seed: int, side_px: int = 16) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_png(np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), np.uint8)))


def _make(folder: Path, out: Path, done: Callable[[], object] = lambda: None) -> list[ShardRecord]:
    cropping = AlignedCropping(SMALL, 10**6, Aligner(SMALL))
    plans = plan_shards(read_folder(folder).people.values(), per_shard=3)
    return list(make_shards(FacePreparer(folder, cropping, _MeanColourEmbedder(), threads=2), plans, out, done))


def _state(out: Path) -> State:
    """Return the content and the time of the last change of each shard."""
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in out.glob("*.tar")}


def _written_again(before: State, after: State) -> list[int]:
    """Return the numbers of the shards that were written between the two states."""
    return sorted(int(name[6:11]) for name in after if name not in before or after[name][1] != before[name][1])


def test_done_is_called_once_for_each_photograph_in_every_run(folder: Path, tmp_path: Path) -> None:
    calls: list[None] = []

    first = _make(folder, tmp_path / "out", lambda: calls.append(None))
    again = _make(folder, tmp_path / "out", lambda: calls.append(None))

    assert len(calls) == 24
    assert again == first


def test_embeddings_are_in_the_order_of_the_faces(folder: Path, tmp_path: Path) -> None:
    records = _make(folder, tmp_path / "out")

    embeddings = np.concatenate([read_embeddings(tmp_path / "out", record) for record in records])

    noise = [np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8) for seed in range(12)]
    assert embeddings == pytest.approx(_MeanColourEmbedder().embed(np.stack(noise)), abs=1e-6)
    assert [face.origin.file for record in records for face in record.faces][:3] == ["a/1.png", "a/2.png", "b/1.png"]


@pytest.mark.parametrize("file", ["faces-00001.tar", "parts/faces-00001.npy", "parts/faces-00001.json"])
def test_only_a_shard_with_a_missing_file_is_made_again(folder: Path, tmp_path: Path, file: str) -> None:
    out = tmp_path / "out"
    records = _make(folder, out)
    before = _state(out)
    (out / file).unlink()

    assert _make(folder, out) == records

    after = _state(out)
    assert _written_again(before, after) == [1]
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in before.items()}


def test_only_a_damaged_shard_is_made_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    (out / "faces-00002.tar").write_bytes(b"damaged")
    (out / "parts" / "faces-00000.json").write_bytes(b"damaged")
    before = _state(out)

    _make(folder, out)

    assert _written_again(before, _state(out)) == [0, 2]


def test_after_a_photograph_changed_its_shard_and_later_shards_are_made_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    before = _state(out)
    _write_noise(folder / "c" / "2.png", seed=99)

    _make(folder, out)

    assert sorted(before) == ["faces-00000.tar", "faces-00001.tar", "faces-00002.tar"]
    assert _written_again(before, _state(out)) == [1, 2]


def test_an_unfinished_face_set_has_no_description(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    (out / "set.json").touch()
    _make(folder, out)
    assert (out / "set.json").exists()

    (out / "faces-00000.tar").unlink()
    _make(folder, out)

    assert not (out / "set.json").exists()


def test_only_the_first_of_several_duplicates_is_kept_even_in_different_shards(folder: Path, tmp_path: Path) -> None:
    for copy in ("a/0.png", "b/3.png", "e/3.png"):
        copyfile(folder / "d" / "1.png", folder / copy)
    out = tmp_path / "out"

    records = _make(folder, out)
    (out / "faces-00002.tar").unlink()

    dropped = [(face.file, face.reason, face.why) for record in records for face in record.dropped]
    assert dropped == [(file, "duplicate", "a/0.png") for file in ("b/3.png", "d/1.png", "e/3.png")]
    assert _make(folder, out) == records


def test_a_canvas_of_another_size_ends_the_run_and_is_named(folder: Path, tmp_path: Path) -> None:
    _write_noise(folder / "e" / "1.png", seed=0, side_px=20)

    with pytest.raises(DatasetError, match=r"e/1\.png is 20 x 20 pixels, and canvases are 16 x 16"):
        _make(folder, tmp_path / "out")
    assert sorted(_state(tmp_path / "out")) == ["faces-00000.tar", "faces-00001.tar"]


def test_shards_that_are_in_no_plan_are_removed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    for person in "ef":
        for file in (folder / person).iterdir():
            file.unlink()

    _make(folder, out)

    files = sorted(file.name for file in (*out.glob("faces-*"), *out.glob("parts/*")))
    assert files == [f"faces-0000{number}.{suffix}" for number in (0, 1) for suffix in ("json", "npy", "tar")]


def test_a_full_disk_leaves_no_partial_file_and_the_next_run_continues(folder: Path, tmp_path: Path) -> None:
    for seed in range(20):
        _write_noise(folder / "d" / f"more-{seed:03}.png", 50 + seed)
    out = tmp_path / "out"

    with simulate_full_disk(30_000), pytest.raises(OSError, match="File too large"):
        _make(folder, out)

    before = _state(out)
    assert sorted(before) == ["faces-00000.tar"]
    assert sorted(file.name for file in out.iterdir()) == ["faces-00000.tar", "parts"]
    records = _make(folder, out)
    assert _written_again(before, _state(out)) == [1, 2]
    assert sum(len(record.faces) for record in records) == 32
