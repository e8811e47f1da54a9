from pathlib import Path

import pytest
from filelock import FileLock

from models.errors import DatasetError
from models.preparation.output_folder import FolderPurpose, lock_output_folder
from models.preparation.shards import CANVAS_ALIGNMENT, PreparationSettings

SETTINGS = PreparationSettings(
    crop="five_point",
    alignment=CANVAS_ALIGNMENT,
    photographs_per_shard=1000,
    max_pixels=10**6,
    max_side_px=640,
    min_face_px=40,
    min_score=0.8,
    models={"embedder": "1" * 64},
)
PURPOSE = FolderPurpose(folder="/photographs", settings=SETTINGS)
OTHER_PURPOSES = {
    "folder": PURPOSE.model_copy(update={"folder": "/others"}),
    "crop": FolderPurpose(folder="/photographs", settings=SETTINGS.model_copy(update={"crop": "box"})),
    "min_score, models": FolderPurpose(
        folder="/photographs", settings=SETTINGS.model_copy(update={"models": {}, "min_score": 0.5})
    ),
}


def test_a_folder_is_made_and_can_be_used_again_for_the_same_purpose(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"

    for _ in range(2):
        with lock_output_folder(out, PURPOSE):
            (out / "faces-00000.tar").touch()

    assert FolderPurpose.model_validate_json((out / "preparation.json").read_bytes()) == PURPOSE


@pytest.mark.parametrize("differences", OTHER_PURPOSES)
def test_a_folder_that_was_made_for_another_purpose_is_refused(tmp_path: Path, differences: str) -> None:
    with lock_output_folder(tmp_path, PURPOSE):
        pass

    with (
        pytest.raises(DatasetError, match=rf"of /photographs, which was made with other options: {differences}\."),
        lock_output_folder(tmp_path, OTHER_PURPOSES[differences]),
    ):
        pass


@pytest.mark.parametrize("name", ["thesis.tex", ".git"])
def test_a_folder_with_other_files_is_refused_and_not_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    with pytest.raises(DatasetError, match="holds other files"), lock_output_folder(tmp_path, PURPOSE):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_damaged_purpose_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "preparation.json").write_text("{", "utf-8")

    with (
        pytest.raises(DatasetError, match=r"preparation\.json is damaged or has another format"),
        lock_output_folder(tmp_path, PURPOSE),
    ):
        pass


def test_a_folder_inside_the_photographs_is_refused(tmp_path: Path) -> None:
    purpose = PURPOSE.model_copy(update={"folder": str(tmp_path)})

    with (
        pytest.raises(DatasetError, match="is inside the folder of photographs"),
        lock_output_folder(tmp_path / "out", purpose),
    ):
        pass
    assert not (tmp_path / "out").exists()


def test_a_file_at_the_path_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with (
        pytest.raises(DatasetError, match=r"out cannot be written \(File exists\)"),
        lock_output_folder(tmp_path / "out", PURPOSE),
    ):
        pass


def test_a_full_disk_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(
            DatasetError,
            match=r"cannot be written \(No space left on device\)\. .* It continues after the finished shards",
        ),
        lock_output_folder(tmp_path, PURPOSE),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"a shard")


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(DatasetError, match="Another run writes to"),
        lock_output_folder(tmp_path, PURPOSE),
    ):
        pass


def test_the_temporary_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    with lock_output_folder(tmp_path, PURPOSE):
        (tmp_path / "parts").mkdir()
    temporary = [
        tmp_path / ".faces-00001.tar.x1y2",
        tmp_path / "parts" / ".faces-00001.npy.x3",
        tmp_path / ".set.json.x4",
    ]
    for file in (*temporary, tmp_path / ".nextcloud"):
        file.write_bytes(b"half a")

    with lock_output_folder(tmp_path, PURPOSE):
        assert not any(file.exists() for file in temporary)
        assert (tmp_path / ".nextcloud").exists()


def test_a_folder_is_usable_after_a_run_that_was_killed_before_its_first_file(tmp_path: Path) -> None:
    (tmp_path / ".preparation.json.x1y2").write_bytes(b"half a")

    with lock_output_folder(tmp_path, PURPOSE):
        pass
