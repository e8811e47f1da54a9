"""The snapshot of a large index: what a start uses, and what it must not use."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import ReadVectors
from service.gallery.indexes.flat import FlatIndex
from service.gallery.indexes.rotated import RotatedIndex
from service.gallery.indexes.rotation import derive_rotation
from service.gallery.indexes.segments.segmented import SegmentedIndex
from service.gallery.indexes.segments.snapshot import SnapshotFile, SnapshotFolder
from tests.service.gallery.indexes.stored_vectors import StoredVectors
from tests.service.gallery.random_faces import MODEL, make_embeddings

CREATE = partial(SegmentedIndex, exact_faces=100, segment_faces=400)
FACES = np.arange(1, 1001)
PROBES = make_embeddings(20, seed=99)


@pytest.fixture
def stored() -> StoredVectors:
    vectors = StoredVectors()
    vectors.store(FACES, make_embeddings(len(FACES)))
    return vectors


@pytest.fixture
def snapshot(tmp_path: Path) -> SnapshotFile:
    return SnapshotFolder(tmp_path / "indexes", "gallery").file_of(3)


@pytest.fixture
def saved(stored: StoredVectors, snapshot: SnapshotFile) -> SegmentedIndex:
    index = CREATE(MODEL.dimension, stored.read)
    index.fill(FACES)
    index.save(snapshot)
    return index


def load(snapshot: SnapshotFile, read: ReadVectors, numbers: FaceNumbers) -> SegmentedIndex | None:
    index = CREATE(MODEL.dimension, read)
    return index if index.load(snapshot, numbers) else None


def require_same(index: SegmentedIndex | None, expected: SegmentedIndex) -> None:
    assert index is not None
    np.testing.assert_array_equal(np.sort(index.numbers), np.sort(expected.numbers))
    found, wanted = index.search(PROBES, 5), expected.search(PROBES, 5)
    np.testing.assert_array_equal(found.numbers, wanted.numbers)
    np.testing.assert_allclose(found.distances, wanted.distances, atol=1e-6)


def test_a_start_finds_the_same_faces_and_encodes_none_again(
    stored: StoredVectors, snapshot: SnapshotFile, saved: SegmentedIndex
) -> None:
    read_by_start: list[int] = []

    def read(numbers: FaceNumbers) -> tuple[FaceNumbers, np.ndarray]:
        read_by_start.extend(numbers.tolist())
        return stored.read(numbers)

    loaded = load(snapshot, read, FACES)
    assert read_by_start == []
    require_same(loaded, saved)
    assert snapshot.path.stat().st_mode & 0o777 == 0o600
    assert snapshot.path.parent.stat().st_mode & 0o777 == 0o700


def test_what_the_records_have_since_is_read_from_them_and_what_was_deleted_is_erased(
    stored: StoredVectors, snapshot: SnapshotFile, saved: SegmentedIndex
) -> None:
    new, deleted = np.arange(1001, 1051), np.arange(5, 1000, 50)
    stored.store(new, make_embeddings(len(new), seed=5))
    stored.delete(deleted)
    numbers = np.setdiff1d(np.concatenate([FACES, new]), deleted)
    loaded = load(snapshot, stored.read, numbers)
    saved.add(new, stored.read(new)[1])
    saved.remove(deleted)
    require_same(loaded, saved)


def test_the_next_snapshot_holds_nothing_of_deleted_faces(
    stored: StoredVectors, snapshot: SnapshotFile, saved: SegmentedIndex
) -> None:
    before = snapshot.path.read_bytes()
    saved.save(snapshot)
    assert snapshot.path.read_bytes() == before
    row = codes_of(saved, 7)
    assert row in before
    stored.delete(np.array([7]))
    saved.remove(np.array([7]))
    saved.save(snapshot)
    assert row not in snapshot.path.read_bytes()


def codes_of(index: SegmentedIndex, number: int) -> bytes:
    """Return the 8-bit codes of a face."""
    part = next(part for part in index._segments if number in part.numbers)  # noqa: SLF001
    codes: bytes = part.refinement_codes[np.searchsorted(part.numbers, number)].tobytes()
    return codes


@pytest.mark.parametrize("place", [0, 40, 500, 5_000, 30_000, -40, -1])
@pytest.mark.usefixtures("saved")
def test_one_wrong_byte_is_noticed_anywhere(stored: StoredVectors, snapshot: SnapshotFile, place: int) -> None:
    data = bytearray(snapshot.path.read_bytes())
    data[place] ^= 1
    snapshot.path.write_bytes(data)
    assert load(snapshot, stored.read, FACES) is None


@pytest.mark.parametrize("length", [0, 10, 1_000, -1])
@pytest.mark.usefixtures("saved")
def test_a_file_that_is_cut_off_is_not_used(stored: StoredVectors, snapshot: SnapshotFile, length: int) -> None:
    snapshot.path.write_bytes(snapshot.path.read_bytes()[:length])
    assert load(snapshot, stored.read, FACES) is None


@pytest.mark.parametrize(("gallery", "collection"), [("another", 3), ("gallery", 4)])
@pytest.mark.usefixtures("saved")
def test_the_file_of_another_gallery_or_collection_is_not_used(
    stored: StoredVectors, snapshot: SnapshotFile, gallery: str, collection: int
) -> None:
    assert load(SnapshotFile(snapshot.path, gallery, collection), stored.read, FACES) is None


@pytest.mark.usefixtures("saved")
def test_records_that_end_before_the_snapshot_are_older_so_it_is_not_used(
    stored: StoredVectors, snapshot: SnapshotFile
) -> None:
    assert load(snapshot, stored.read, FACES[:-1]) is None


@pytest.mark.usefixtures("saved")
def test_a_snapshot_that_is_refused_is_removed(stored: StoredVectors, snapshot: SnapshotFile) -> None:
    assert load(snapshot, stored.read, FACES[:-1]) is None
    assert not snapshot.path.exists()


def test_the_newest_face_can_be_deleted_before_the_snapshot_is_written_again(
    stored: StoredVectors, snapshot: SnapshotFile, saved: SegmentedIndex
) -> None:
    stored.delete(FACES[-1:])
    saved.remove(FACES[-1:])
    saved.save(snapshot)
    require_same(load(snapshot, stored.read, FACES[:-1]), saved)


@pytest.mark.usefixtures("saved")
def test_an_index_of_another_kind_removes_the_snapshot(stored: StoredVectors, snapshot: SnapshotFile) -> None:
    FlatIndex(MODEL.dimension, stored.read).save(snapshot)
    assert not snapshot.path.exists()


def test_a_snapshot_that_lacks_too_many_faces_is_not_used(stored: StoredVectors, snapshot: SnapshotFile) -> None:
    assert load(snapshot, stored.read, np.arange(1, 1501)) is None


def test_an_index_that_is_exact_again_removes_its_snapshot(
    stored: StoredVectors, snapshot: SnapshotFile, saved: SegmentedIndex
) -> None:
    stored.delete(FACES[40:])
    saved.remove(FACES[40:])
    while saved.needs_rewrite:
        saved.begin_rewrite()()()
    saved.save(snapshot)
    assert not snapshot.path.exists()


def test_a_failure_leaves_the_old_file_and_the_next_call_tries_again(
    snapshot: SnapshotFile, saved: SegmentedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot.path.read_bytes()
    saved.remove(np.array([7]))

    def fail(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            saved.save(snapshot)
    assert snapshot.path.read_bytes() == before
    assert list(snapshot.path.parent.iterdir()) == [snapshot.path]
    saved.save(snapshot)
    assert snapshot.path.read_bytes() != before


def test_an_encrypted_collection_has_no_snapshot(stored: StoredVectors, snapshot: SnapshotFile) -> None:
    index = RotatedIndex(CREATE, derive_rotation(b"secret", MODEL.dimension), stored.read)
    index.fill(FACES)
    index.save(snapshot)
    assert not snapshot.path.parent.exists()
    assert not index.load(snapshot, FACES)


def test_the_folder_keeps_only_the_files_of_given_collections(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path, "gallery")
    for name in ("1.segments", "2.segments", "2.part"):
        (tmp_path / name).touch()
    folder.keep_only([2])
    assert [file.name for file in tmp_path.iterdir()] == ["2.segments"]
