from pathlib import Path

import pytest
from filelock import FileLock

from models.errors import DatasetError
from models.preparation.output import Claim, own
from models.preparation.shards import CANVAS, Settings

SETTINGS = Settings(
    crop="five_point",
    alignment=CANVAS,
    photographs_per_shard=1000,
    max_pixels=10**6,
    max_side_px=640,
    min_score=0.8,
    models={"embedder": "1" * 64},
)
CLAIM = Claim(folder="/photographs", settings=SETTINGS)
OTHERS = {
    "folder": CLAIM.model_copy(update={"folder": "/others"}),
    "crop": Claim(folder="/photographs", settings=SETTINGS.model_copy(update={"crop": "box"})),
    "min_score, models": Claim(
        folder="/photographs", settings=SETTINGS.model_copy(update={"models": {}, "min_score": 0.5})
    ),
}


def test_a_folder_is_made_and_may_be_owned_again_for_the_same(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"

    for _ in range(2):
        with own(out, CLAIM):
            (out / "faces-00000.tar").touch()

    assert Claim.model_validate_json((out / "preparation.json").read_bytes()) == CLAIM


@pytest.mark.parametrize("what", OTHERS)
def test_a_folder_made_for_something_else_is_refused(tmp_path: Path, what: str) -> None:
    with own(tmp_path, CLAIM):
        pass

    with pytest.raises(DatasetError, match=f"the set of /photographs, .*: {what} differ"), own(tmp_path, OTHERS[what]):
        pass


@pytest.mark.parametrize("name", ["thesis.tex", ".git"])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    with pytest.raises(DatasetError, match="holds other files"), own(tmp_path, CLAIM):
        pass
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_damaged_claim_is_told(tmp_path: Path) -> None:
    (tmp_path / "preparation.json").write_text("{", "utf-8")

    with pytest.raises(DatasetError, match=r"preparation\.json is damaged or of another format"), own(tmp_path, CLAIM):
        pass


def test_a_folder_among_the_photographs_is_refused(tmp_path: Path) -> None:
    claim = CLAIM.model_copy(update={"folder": str(tmp_path)})

    with pytest.raises(DatasetError, match="lies inside the photographs' folder"), own(tmp_path / "out", claim):
        pass
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(DatasetError, match=r"out cannot be written \(File exists\)"), own(tmp_path / "out", CLAIM):
        pass


def test_a_disk_that_is_full_is_told_with_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(
            DatasetError, match=r"cannot be written \(No space left on device\)\. .* goes on from the shards"
        ),
        own(tmp_path, CLAIM),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"a shard")


def test_two_runs_never_write_to_one_folder(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(DatasetError, match="Another run writes to"),
        own(tmp_path, CLAIM),
    ):
        pass


def test_what_a_killed_run_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    with own(tmp_path, CLAIM):
        (tmp_path / "parts").mkdir()
    half = [tmp_path / ".faces-00001.tar.x1y2", tmp_path / "parts" / ".faces-00001.npy.x3", tmp_path / ".set.json.x4"]
    for file in (*half, tmp_path / ".nextcloud"):
        file.write_bytes(b"half a")

    with own(tmp_path, CLAIM):
        assert not any(file.exists() for file in half)
        assert (tmp_path / ".nextcloud").exists()


def test_a_run_killed_before_its_first_file_leaves_the_folder_usable(tmp_path: Path) -> None:
    (tmp_path / ".preparation.json.x1y2").write_bytes(b"half a")

    with own(tmp_path, CLAIM):
        pass
