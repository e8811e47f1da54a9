import io
import json
import tarfile
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import DatasetError
from models.preparation.shards import CANVAS_ALIGNMENT
from models.training.data.face_set import FaceSet, load_face_set
from service.domain.face import Crops
from service.model_files.card import FivePointAlignment
from tests.models.sets import write_set

SMALL_CANVAS = FivePointAlignment(view=(-8, -8, 120, 120), height=32, width=32)
PEOPLE = ("anna", "ben", "chloé", "dora", "emil")
SOURCES = ("film", "photographs")


def _random_canvases(count: int) -> Crops:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


def _faces(people: Sequence[int]) -> FaceSet:
    labels = np.array(people, np.int64)
    return FaceSet(_random_canvases(len(people)), labels, labels % 2, PEOPLE, SOURCES, SMALL_CANVAS)


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
        ({"people": np.array([0, 5, 1])}, "people are numbers from 0 to 4, not 0 to 5"),
        ({"sources": np.array([0, 1])}, r"sources are \(3,\) int64, not \(2,\)"),
        ({"sources": np.array([-1, 0, 1])}, "sources are numbers from 0 to 1, not -1 to 1"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(_faces([0, 1, 2]), **change)  # type: ignore[arg-type]  # a wrong type is what is tested


def test_by_default_a_canvas_shows_the_template_with_a_border() -> None:
    faces = FaceSet(np.zeros((1, 128, 128, 3), np.uint8), np.zeros(1, np.int64), np.zeros(1, np.int64), ("a",), ("s",))

    assert faces.alignment == CANVAS_ALIGNMENT


def test_rows_are_selected_by_number_or_by_mask_and_the_names_stay(faces: FaceSet) -> None:
    by_number = faces.select_rows(np.array([9, 0]))
    by_mask = faces.select_rows(np.isin(np.arange(len(faces)), [0, 9]))

    assert by_number.people.tolist() == [3, 0]
    assert by_number.names == faces.names
    assert np.array_equal(by_number.canvases, faces.canvases[[9, 0]])
    assert np.array_equal(by_mask.canvases, by_number.canvases[::-1])


def test_all_faces_of_a_person_are_on_one_side_of_a_split(faces: FaceSet) -> None:
    training, held_out = faces.split_people(0.4, seed=3)

    assert len(np.unique(held_out.people)) == 2
    assert not set(training.people) & set(held_out.people)
    assert sorted([*training.people, *held_out.people]) == faces.people.tolist()
    for part in (training, held_out):
        for canvas, person in zip(part.canvases, part.people, strict=True):
            assert any(np.array_equal(canvas, original) for original in faces.canvases[faces.people == person])


def test_named_people_are_split_from_all_others(faces: FaceSet) -> None:
    others, named = faces.split_named(["dora", "ben"])
    assert (named.names_with_faces, others.names_with_faces) == (["ben", "dora"], ["anna", "chloé", "emil"])


@pytest.mark.parametrize(
    ("names", "message"),
    [(["anna", "nobody"], "1 of the 2 named"), (PEOPLE, r"\. 0 other people"), ([], "of the 0 named people")],
)
def test_names_without_a_face_or_without_others_are_refused(names: Sequence[str], message: str, faces: FaceSet) -> None:
    with pytest.raises(DatasetError, match=message):
        faces.split_named(names)


def test_a_split_depends_on_the_seed_only(faces: FaceSet) -> None:
    (_, first), (_, second) = faces.split_people(0.4, seed=3), faces.split_people(0.4, seed=3)
    of_other_seeds = {frozenset(faces.split_people(0.4, seed)[1].people) for seed in range(20)}

    assert np.array_equal(first.people, second.people)
    assert len(of_other_seeds) > 1


@pytest.mark.parametrize("share", [0.05, 0.95])
def test_a_split_with_an_empty_side_is_refused(faces: FaceSet, share: float) -> None:
    with pytest.raises(DatasetError, match="of 5 people cannot be held out: "):
        faces.split_people(share, seed=0)


def test_a_loaded_set_has_what_a_simple_reader_finds_in_the_shards(folder: Path) -> None:
    done: list[None] = []

    faces = load_face_set(folder, lambda: done.append(None))

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
    assert len(done) == 4
    assert faces.alignment == SMALL_CANVAS


def test_faces_with_one_of_the_given_flags_are_left_out(folder: Path, faces: FaceSet) -> None:
    without_mislabelled = load_face_set(folder, lambda: None, leave_out={"mislabelled"})
    without_flagged = load_face_set(folder, lambda: None, leave_out={"mislabelled", "near_duplicate"})

    assert np.array_equal(without_mislabelled.canvases, np.delete(faces.canvases, [1, 5], axis=0))
    assert np.array_equal(without_flagged.canvases, np.delete(faces.canvases, [1, 5, 9], axis=0))
    assert without_flagged.people.tolist() == [0, 0, 1, 1, 3, 3, 3, 4]
    assert without_flagged.names == PEOPLE


def test_loading_needs_memory_for_the_set_only_once(tmp_path: Path) -> None:
    faces = _faces([0] * 1000)
    write_set(tmp_path, faces, np.arange(1000).reshape(50, 20).tolist(), {})

    tracemalloc.start()
    loaded = load_face_set(tmp_path, lambda: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert np.array_equal(loaded.canvases, faces.canvases)
    assert peak < 1.5 * loaded.canvases.nbytes


def test_the_error_for_a_damaged_shard_names_the_file(folder: Path) -> None:
    file = folder / "faces-00001.tar"
    data = bytearray(file.read_bytes())
    data[700] ^= 1
    file.write_bytes(data)

    with pytest.raises(DatasetError, match=r"faces-00001\.tar is damaged: .* Run facenet-models prepare again"):
        load_face_set(folder, lambda: None)


def test_the_error_for_a_missing_shard_names_the_file(folder: Path) -> None:
    (folder / "faces-00002.tar").unlink()

    with pytest.raises(DatasetError, match=r"faces-00002\.tar cannot be read"):
        load_face_set(folder, lambda: None)


def test_a_set_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"set\.json cannot be read .* writes it when the set is complete"):
        load_face_set(tmp_path, lambda: None)


def test_a_set_of_another_format_is_refused(folder: Path) -> None:
    file = folder / "set.json"
    file.write_text(file.read_text("utf-8").replace('"format": 1', '"format": 2'), "utf-8")

    with pytest.raises(DatasetError, match=r"set\.json is damaged or has another format: format: "):
        load_face_set(folder, lambda: None)


def test_a_smaller_draw_of_people_is_a_part_of_a_larger_draw(faces: FaceSet) -> None:
    few, many = faces.draw_people(2, seed=5), faces.draw_people(4, seed=5)
    assert len(few.names_with_faces) == 2
    assert set(few.names_with_faces) < set(many.names_with_faces) < set(faces.names_with_faces)
    assert len(few) == np.isin(faces.people, few.people).sum()


def test_more_people_than_there_are_cannot_be_drawn(faces: FaceSet) -> None:
    with pytest.raises(DatasetError, match="7 people are needed, and 5 have faces"):
        faces.draw_people(7, seed=5)
