import io
import json
import tarfile
import tracemalloc
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import DatasetError
from models.faces import FaceSet, load, stream
from models.preparation.shards import CANVAS
from service.card import FivePoint
from service.domain import Crops
from tests.models.sets import write_set

SMALL = FivePoint(view=(-8, -8, 120, 120), height=32, width=32)
PEOPLE = ("anna", "ben", "chloé", "dora", "emil")
SOURCES = ("film", "photographs")


def _pixels(count: int, seed: int = 0) -> Crops:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def _faces(people: Sequence[int]) -> FaceSet:
    numbers = np.array(people, np.int64)
    return FaceSet(_pixels(len(people)), numbers, numbers % 2, PEOPLE, SOURCES, SMALL)


@pytest.fixture
def faces() -> FaceSet:
    return _faces([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4])


@pytest.fixture
def folder(tmp_path: Path, faces: FaceSet) -> Path:
    write_set(
        tmp_path, faces, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10], []], {"mislabelled": [1, 5], "near_duplicate": [1, 9]}
    )
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"canvases": np.zeros((3, 16, 16, 3), np.uint8)},
            r"canvases are \(3, 32, 32, 3\) uint8, not \(3, 16, 16, 3\)",
        ),
        ({"canvases": np.zeros((3, 32, 32, 3), np.float32)}, "not .* float32"),
        ({"people": np.zeros(3, np.int32)}, r"people are \(3,\) int64, not \(3,\) int32"),
        ({"people": np.array([0, 5, 1])}, "people are numbers below 5, not 0 to 5"),
        ({"sources": np.array([0, 1])}, r"sources are \(3,\) int64, not \(2,\)"),
        ({"sources": np.array([-1, 0, 1])}, "sources are numbers below 2, not -1 to 1"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(_faces([0, 1, 2]), **change)  # type: ignore[arg-type]  # that is the test


def test_a_canvas_is_the_template_with_a_border_unless_it_is_said() -> None:
    faces = FaceSet(np.zeros((1, 128, 128, 3), np.uint8), np.zeros(1, np.int64), np.zeros(1, np.int64), ("a",), ("s",))

    assert faces.alignment == CANVAS


def test_rows_are_taken_by_number_or_by_mask_under_the_same_names(faces: FaceSet) -> None:
    some = faces.of(np.array([9, 0]))
    same = faces.of(np.isin(np.arange(len(faces)), [0, 9]))

    assert some.people.tolist() == [3, 0]
    assert some.names == faces.names
    assert np.array_equal(some.canvases, faces.canvases[[9, 0]])
    assert np.array_equal(same.canvases, some.canvases[::-1])


def test_a_split_parts_people_and_loses_nobody(faces: FaceSet) -> None:
    training, held_out = faces.split(0.4, seed=3)

    assert len(np.unique(held_out.people)) == 2
    assert not set(training.people) & set(held_out.people)
    assert sorted([*training.people, *held_out.people]) == faces.people.tolist()
    for part in (training, held_out):
        for canvas, person in zip(part.canvases, part.people, strict=True):
            assert any(np.array_equal(canvas, one) for one in faces.canvases[faces.people == person])


def test_people_are_parted_by_their_names(faces: FaceSet) -> None:
    training, theirs = faces.named(["dora", "ben"])
    assert (theirs.present, training.present) == (["ben", "dora"], ["anna", "chloé", "emil"])


@pytest.mark.parametrize(
    ("names", "there"), [(["anna", "nobody"], "1 of the 2 people"), (PEOPLE, "and 0 others"), ([], "of the 0 people")]
)
def test_names_without_a_face_or_without_others_are_refused(names: Sequence[str], there: str, faces: FaceSet) -> None:
    with pytest.raises(DatasetError, match=there):
        faces.named(names)


def test_a_split_is_the_same_for_the_same_seed(faces: FaceSet) -> None:
    again, other = faces.split(0.4, seed=3), {frozenset(faces.split(0.4, seed)[1].people) for seed in range(20)}

    assert np.array_equal(again[1].people, faces.split(0.4, seed=3)[1].people)
    assert len(other) > 1


@pytest.mark.parametrize("share", [0.05, 0.95])
def test_a_split_that_leaves_nobody_on_one_side_is_refused(faces: FaceSet, share: float) -> None:
    with pytest.raises(DatasetError, match="of 5 people are to be held out, and that leaves nobody"):
        faces.split(share, seed=0)


def test_a_loaded_set_is_what_a_plain_reader_finds_in_the_shards(folder: Path) -> None:
    told: list[None] = []

    faces = load(folder, lambda: told.append(None))

    row = 0
    for file in sorted(folder.glob("*.tar")):
        with tarfile.open(file) as tar:
            for member in tar.getmembers():
                data = tar.extractfile(member)
                assert data is not None
                if member.name.endswith(".json"):
                    origin = json.load(data)
                    assert faces.names[faces.people[row]] == origin["person"]
                    assert faces.source_names[faces.sources[row]] == origin["source"]
                    row += 1
                else:
                    assert np.array_equal(faces.canvases[row], np.asarray(Image.open(io.BytesIO(data.read()))))
    assert len(faces) == row == 11
    assert len(told) == 4
    assert faces.alignment == SMALL


def test_flagged_faces_are_left_out_as_asked(folder: Path, faces: FaceSet) -> None:
    labelled = load(folder, lambda: None, leave_out={"mislabelled"})
    strict = load(folder, lambda: None, leave_out={"mislabelled", "near_duplicate"})

    assert np.array_equal(labelled.canvases, np.delete(faces.canvases, [1, 5], axis=0))
    assert np.array_equal(strict.canvases, np.delete(faces.canvases, [1, 5, 9], axis=0))
    assert strict.people.tolist() == [0, 0, 1, 1, 3, 3, 3, 4]
    assert strict.names == PEOPLE


def test_loading_never_holds_the_set_twice(tmp_path: Path) -> None:
    faces = _faces([0] * 1000)
    write_set(tmp_path, faces, np.arange(1000).reshape(50, 20).tolist(), {})

    tracemalloc.start()
    loaded = load(tmp_path, lambda: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert np.array_equal(loaded.canvases, faces.canvases)
    assert peak < 1.5 * loaded.canvases.nbytes


def test_a_damaged_shard_is_named(folder: Path) -> None:
    file = folder / "faces-00001.tar"
    data = bytearray(file.read_bytes())
    data[700] ^= 1
    file.write_bytes(data)

    with pytest.raises(DatasetError, match=r"faces-00001\.tar is damaged: .* Run facenet-models prepare again"):
        load(folder, lambda: None)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "faces-00002.tar").unlink()

    with pytest.raises(DatasetError, match=r"faces-00002\.tar cannot be read"):
        load(folder, lambda: None)


def test_a_set_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"set\.json cannot be read .* writes it when the set is complete"):
        load(tmp_path, lambda: None)


def test_a_set_of_another_format_is_refused(folder: Path) -> None:
    file = folder / "set.json"
    file.write_text(file.read_text("utf-8").replace('"format": 1', '"format": 2'), "utf-8")

    with pytest.raises(DatasetError, match=r"set\.json is of another format or damaged: format: "):
        load(folder, lambda: None)


def _streamed(folder: Path, seed: int) -> list[tuple[bytes, int, int]]:
    return [(canvas.tobytes(), person, source) for canvas, person, source in stream(folder, seed)]


def test_a_stream_gives_the_very_faces_of_the_set_once(folder: Path) -> None:
    faces = load(folder, lambda: None)

    streamed = _streamed(folder, 0)

    loaded = zip(faces.canvases, faces.people.tolist(), faces.sources.tolist(), strict=True)
    assert sorted(streamed) == sorted((canvas.tobytes(), person, source) for canvas, person, source in loaded)


def test_a_stream_is_shuffled_by_its_seed(folder: Path) -> None:
    assert _streamed(folder, 1) == _streamed(folder, 1)
    assert _streamed(folder, 1) != _streamed(folder, 2)


def test_a_stream_leaves_out_what_loading_leaves_out(folder: Path) -> None:
    people = [person for _, person, _ in stream(folder, 0, leave_out={"mislabelled", "near_duplicate"})]

    assert sorted(people) == [0, 0, 1, 1, 3, 3, 3, 4]


def test_shards_are_read_by_webdataset_itself(folder: Path) -> None:
    import webdataset  # noqa: PLC0415  # imports torch, which takes seconds

    files = [str(file) for file in sorted(folder.glob("*.tar"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files to be closed by the garbage collector
        samples = list(webdataset.WebDataset(files, shardshuffle=False).decode("rgb8"))

    faces = load(folder, lambda: None)
    assert [sample["json"]["person"] for sample in samples] == [faces.names[person] for person in faces.people]
    assert all(np.array_equal(one["webp"], canvas) for one, canvas in zip(samples, faces.canvases, strict=True))


def test_fewer_people_are_some_of_the_more(faces: FaceSet) -> None:
    few, many = faces.some_people(2, seed=5), faces.some_people(4, seed=5)
    assert len(few.present) == 2
    assert set(few.present) < set(many.present) < set(faces.present)
    assert len(few) == np.isin(faces.people, few.people).sum()
    with pytest.raises(DatasetError, match="7 people were asked for and"):
        faces.some_people(7, seed=5)
