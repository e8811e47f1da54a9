from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from models.errors import DatasetError
from models.preparation.croppings import AlignedCropping
from models.preparation.cutting import Cutter, make_shards
from models.preparation.folder import plan, read_folder
from models.preparation.records import Record, read_embeddings
from service.alignment import Aligner
from service.card import EmbedderCard, FivePoint
from service.distances import unit
from service.domain import Crops, Embeddings
from tests.disks import disk_full_at
from tests.pictures import png

SMALL = FivePoint(view=(-8, -8, 120, 120), height=16, width=16)

State = dict[str, tuple[bytes, int]]


class _Colours:
    """An embedder that knows mean colours alone."""

    card = EmbedderCard(
        name="colours", id="0" * 64, architecture="", licence="", training="", dimension=3, alignment=SMALL
    )

    def embed(self, crops: Crops) -> Embeddings:
        return unit(crops.mean(axis=(1, 2), dtype=np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six people with two canvases of noise each, two people to a shard."""
    for seed, file in enumerate(f"{person}/{one}.png" for person in "abcdef" for one in "12"):
        _write_noise(tmp_path / "canvases" / file, seed)
    return tmp_path / "canvases"


def _write_noise(file: Path, seed: int, side_px: int = 16) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png(np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), np.uint8)))


def _make(folder: Path, out: Path, done: Callable[[], object] = lambda: None) -> list[Record]:
    cropping = AlignedCropping(SMALL, 10**6, Aligner(SMALL))
    parts = plan(read_folder(folder).people.values(), per_shard=3)
    return list(make_shards(Cutter(folder, cropping, _Colours(), threads=2), parts, out, done))


def _state(out: Path) -> State:
    """Content and time of each shard."""
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in out.glob("*.tar")}


def _made_anew(before: State, after: State) -> list[int]:
    """Numbers of the shards that were written since."""
    return sorted(int(name[6:11]) for name in after if name not in before or after[name][1] != before[name][1])


def test_each_photograph_is_told_once_whether_it_is_new_or_not(folder: Path, tmp_path: Path) -> None:
    told: list[None] = []

    first = _make(folder, tmp_path / "out", lambda: told.append(None))
    again = _make(folder, tmp_path / "out", lambda: told.append(None))

    assert len(told) == 24
    assert again == first


def test_embeddings_are_kept_face_by_face(folder: Path, tmp_path: Path) -> None:
    records = _make(folder, tmp_path / "out")

    embeddings = np.concatenate([read_embeddings(tmp_path / "out", record) for record in records])

    noise = [np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8) for seed in range(12)]
    assert embeddings == pytest.approx(_Colours().embed(np.stack(noise)), abs=1e-6)
    assert [face.origin.file for record in records for face in record.faces][:3] == ["a/1.png", "a/2.png", "b/1.png"]


@pytest.mark.parametrize("lost", ["faces-00001.tar", "parts/faces-00001.npy", "parts/faces-00001.json"])
def test_only_a_shard_of_which_something_is_missing_is_made_again(folder: Path, tmp_path: Path, lost: str) -> None:
    out = tmp_path / "out"
    records = _make(folder, out)
    before = _state(out)
    (out / lost).unlink()

    assert _make(folder, out) == records

    after = _state(out)
    assert _made_anew(before, after) == [1]
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in before.items()}


def test_only_a_damaged_shard_is_made_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    (out / "faces-00002.tar").write_bytes(b"damaged")
    (out / "parts" / "faces-00000.json").write_bytes(b"damaged")
    before = _state(out)

    _make(folder, out)

    assert _made_anew(before, _state(out)) == [0, 2]


def test_a_changed_photograph_makes_its_shard_and_those_behind_it_anew(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    before = _state(out)
    _write_noise(folder / "c" / "2.png", seed=99)

    _make(folder, out)

    assert sorted(before) == ["faces-00000.tar", "faces-00001.tar", "faces-00002.tar"]
    assert _made_anew(before, _state(out)) == [1, 2]


def test_an_unfinished_set_has_no_description(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    (out / "set.json").touch()
    _make(folder, out)
    assert (out / "set.json").exists()

    (out / "faces-00000.tar").unlink()
    _make(folder, out)

    assert not (out / "set.json").exists()


def test_the_first_of_several_duplicates_is_kept_in_whatever_shard_the_others_are(folder: Path, tmp_path: Path) -> None:
    for copy in ("a/0.png", "b/3.png", "e/3.png"):
        copyfile(folder / "d" / "1.png", folder / copy)
    out = tmp_path / "out"

    records = _make(folder, out)
    (out / "faces-00002.tar").unlink()

    dropped = [(one.file, one.reason, one.why) for record in records for one in record.dropped]
    assert dropped == [(file, "duplicate", "a/0.png") for file in ("b/3.png", "d/1.png", "e/3.png")]
    assert _make(folder, out) == records


def test_a_canvas_of_another_size_stops_the_run_and_is_named(folder: Path, tmp_path: Path) -> None:
    _write_noise(folder / "e" / "1.png", seed=0, side_px=20)

    with pytest.raises(DatasetError, match=r"e/1\.png is 20 x 20 pixels, and canvases are 16 x 16"):
        _make(folder, tmp_path / "out")
    assert sorted(_state(tmp_path / "out")) == ["faces-00000.tar", "faces-00001.tar"]


def test_shards_that_are_no_longer_asked_for_are_removed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(folder, out)
    for person in "ef":
        for file in (folder / person).iterdir():
            file.unlink()

    _make(folder, out)

    files = sorted(file.name for file in (*out.glob("faces-*"), *out.glob("parts/*")))
    assert files == [f"faces-0000{number}.{suffix}" for number in (0, 1) for suffix in ("json", "npy", "tar")]


def test_a_full_disk_leaves_no_half_file_and_the_next_run_goes_on_from_there(folder: Path, tmp_path: Path) -> None:
    for seed in range(20):
        _write_noise(folder / "d" / f"more-{seed:03}.png", 50 + seed)
    out = tmp_path / "out"

    with disk_full_at(30_000), pytest.raises(OSError, match="File too large"):
        _make(folder, out)

    before = _state(out)
    assert sorted(before) == ["faces-00000.tar"]
    assert sorted(file.name for file in out.iterdir()) == ["faces-00000.tar", "parts"]
    records = _make(folder, out)
    assert _made_anew(before, _state(out)) == [1, 2]
    assert sum(len(record.faces) for record in records) == 32
