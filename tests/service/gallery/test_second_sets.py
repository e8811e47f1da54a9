"""A change of the model survives kill -9, leaves no index of the former model, and both sets leave the disk."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.gallery.records.statements import encryption
from tests.service.gallery.random_faces import MODEL, make_crop, make_embeddings, make_face
from tests.service.gallery.small_segments import use_small_segments
from tests.service.gallery.switch_until_killed import SECOND, SUBJECTS, seeds_of
from tests.service.gallery.test_crash import change_until_the_kill
from tests.support.blocking_gallery import BlockingGallery
from tests.support.second_sets import embed_waiting, other_vector, run


def enrol(gallery: BlockingGallery, faces: int) -> dict[str, int]:
    """Enrol faces of different subjects, whose ids are the seeds. Return the seeds by the ids of the faces."""
    for seed in range(faces):
        gallery.put_subject("default", str(seed), None, {})
        gallery.enrol("default", str(seed), [replace(make_face(seed), crop=make_crop(seed))], MODEL)
    return seeds_of(gallery)


def check_all_found(gallery: BlockingGallery, faces: int) -> None:
    """Every face is found by its embedding of the model in use."""
    model = gallery.collection_model("default")
    assert model in {MODEL, SECOND}
    for seed in range(faces):
        probe = make_embeddings(1, seed)[0] if model == MODEL else other_vector(seed, SECOND)
        ((nearest,),), searched = gallery.search("default", probe[None], 1, model)
        assert (nearest.subject, searched) == (str(seed), faces)
        assert nearest.distance < 1e-5
    gallery.check()


@pytest.mark.slow
def test_a_kill_leaves_the_model_before_or_after_a_change_and_loses_no_embedding(data_dir: Path) -> None:
    first = 0
    for changes in (1, 4, 9):
        acknowledged = change_until_the_kill("switch_until_killed", data_dir, first, changes)
        gallery = BlockingGallery.open(data_dir, "faiss")
        check_all_found(gallery, SUBJECTS)
        other = MODEL if gallery.collection_model("default") == SECOND else SECOND
        last = acknowledged[-1]
        models = {number: SECOND if number % 2 == 0 else MODEL for number in (last, last + 1)}
        assert gallery.collection_model("default") in models.values()
        run(gallery, "switch", "default", other, delete_missing=False)
        check_all_found(gallery, SUBJECTS)
        run(gallery, "switch", "default", SECOND, delete_missing=False)
        gallery.close()
        first = 1  # the collection has the second model


@pytest.mark.slow
def test_a_kill_while_faces_are_embedded_loses_no_stored_embedding_and_the_rest_is_done_later(
    data_dir: Path, tmp_path: Path
) -> None:
    gallery = BlockingGallery.open(data_dir, "faiss")
    seeds = enrol(gallery, 10)
    run(gallery, "begin", "default", SECOND)
    some = run(gallery, "waiting", SECOND.id)["default"][:4]
    run(gallery, "store", "default", SECOND.id, {face: other_vector(seeds[face], SECOND) for face in some})
    killed = tmp_path / "killed"  # a copy of the files of a running service is what a kill leaves
    killed.mkdir()
    for path in data_dir.iterdir():
        (killed / path.name).write_bytes(path.read_bytes())
    gallery.close()
    gallery = BlockingGallery.open(killed, "faiss")
    found = run(gallery, "state", "default")
    assert (found.done, found.waiting) == (4, 6)
    embed_waiting(gallery, seeds, SECOND)
    run(gallery, "switch", "default", SECOND, delete_missing=False)
    check_all_found(gallery, 10)
    gallery.close()


@pytest.mark.slow
def test_an_index_with_segments_and_its_snapshot_are_those_of_the_model_in_use(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small_segments(monkeypatch)
    gallery = BlockingGallery.open(data_dir, "faiss")
    faces = 300
    seeds = enrol(gallery, faces)
    assert gallery.indexes.background.wait(60)
    run(gallery, "begin", "default", SECOND)
    embed_waiting(gallery, seeds, SECOND)
    for _ in range(2):
        run(gallery, "switch", "default", SECOND, delete_missing=False)
        assert gallery.indexes.background.wait(60)
        check_all_found(gallery, faces)
        gallery.close()
        gallery = BlockingGallery.open(data_dir, "faiss")
        assert gallery.indexes.background.wait(60)
        check_all_found(gallery, faces)
        run(gallery, "switch", "default", MODEL, delete_missing=False)
    gallery.close()


def test_a_crop_that_cannot_be_embedded_is_replaced_when_its_photograph_is_enrolled_again(data_dir: Path) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    usable, damaged = sorted(enrol(gallery, 2), key=seeds_of(gallery).__getitem__)
    run(gallery, "begin", "default", SECOND)
    run(gallery, "store", "default", SECOND.id, {usable: other_vector(0, SECOND), damaged: None})
    assert run(gallery, "state", "default").unusable == 1
    for seed in (0, 1):
        gallery.enrol("default", str(seed), [replace(make_face(seed), crop=make_crop(seed + 10))], MODEL)
    assert gallery.get_crop("default", usable).picture == make_crop(0).picture
    assert gallery.get_crop("default", damaged).picture == make_crop(11).picture
    assert run(gallery, "waiting", SECOND.id) == {"default": [damaged]}
    gallery.close()


@pytest.mark.parametrize("switched", [False, True])
def test_no_file_contains_either_embedding_of_a_deleted_face(data_dir: Path, *, switched: bool) -> None:
    gallery = BlockingGallery.open(data_dir, "exact")
    seeds = enrol(gallery, 8)
    run(gallery, "begin", "default", SECOND)
    embed_waiting(gallery, seeds, SECOND)
    if switched:
        run(gallery, "switch", "default", SECOND, delete_missing=False)
    both = [vector.tobytes() for vector in (make_embeddings(1, 3)[0], other_vector(3, SECOND))]
    assert holding(data_dir, both) == both
    gallery.delete_subject("default", "3")
    assert holding(data_dir, both) == []
    gallery.gallery.database.rewrite()
    check_kept(gallery, data_dir)
    gallery.close()
    assert holding(data_dir, both) == []


def check_kept(gallery: BlockingGallery, data_dir: Path) -> None:
    """What was not deleted is there, until the second set is ended."""
    run(gallery, "switch", "default", SECOND, delete_missing=False)
    former = [make_embeddings(1, 4)[0].tobytes()]
    assert holding(data_dir, former) == former
    run(gallery, "end", "default")
    assert holding(data_dir, former) == []


def test_no_file_of_an_encrypted_gallery_contains_either_embedding(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "ROWS_AT_ONCE", 3)
    key_file = tmp_path / "key"
    key_file.write_text("ab" * 32)
    key_file.chmod(0o600)
    both = [vector.tobytes() for vector in (make_embeddings(1, 3)[0], other_vector(3, SECOND))]
    gallery = BlockingGallery.open(data_dir, "exact")
    seeds = enrol(gallery, 8)
    run(gallery, "begin", "default", SECOND)
    embed_waiting(gallery, seeds, SECOND)
    gallery.close()
    assert holding(data_dir, both) == both
    gallery = BlockingGallery.open(data_dir, "exact", key_file)
    assert holding(data_dir, both) == []
    run(gallery, "switch", "default", SECOND, delete_missing=False)
    check_all_found(gallery, 8)
    assert holding(data_dir, both) == []
    gallery.close()


def holding(data_dir: Path, parts: list[bytes]) -> list[bytes]:
    """Return those of the parts that a file of the data directory holds."""
    stored = b"".join(path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file())
    return [part for part in parts if part in stored]
