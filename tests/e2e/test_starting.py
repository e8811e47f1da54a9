"""A start that cannot succeed is told in one line that says what to do, and ends with 1."""

import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.served import command, environment, serve


def refusal(data_dir: Path, models_dir: Path, **settings: str) -> str:
    done = subprocess.run(
        command("serve"),
        env=environment(data_dir, models_dir, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("facenet: ")]
    assert len(told) == 1, done.stderr
    return told[0]


def test_it_serves_and_ends_well(models_dir: Path, tmp_path: Path) -> None:
    with serve(tmp_path / "data", models_dir) as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{served.url}/readyz").json() == {"status": "ready"}
        assert served.stop() == 0


def test_a_port_in_use_is_told(models_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = refusal(tmp_path / "data", models_dir, FACE_PORT=port)
    assert port in told
    assert "FACE_PORT" in told


def test_a_host_that_is_none_is_told(models_dir: Path, tmp_path: Path) -> None:
    told = refusal(tmp_path / "data", models_dir, FACE_HOST="no such host")
    assert "FACE_HOST" in told


def test_a_data_directory_in_use_is_told(models_dir: Path, tmp_path: Path) -> None:
    with serve(tmp_path / "data", models_dir):
        assert "another process" in refusal(tmp_path / "data", models_dir).lower()


def test_a_misspelt_setting_is_told_with_the_nearest(models_dir: Path, tmp_path: Path) -> None:
    told = refusal(tmp_path / "data", models_dir, FACE_LIMITS__PIXLES="5")
    assert "FACE_LIMITS__PIXLES" in told
    assert "FACE_LIMITS__PIXELS" in told


def test_a_setting_out_of_range_is_told(models_dir: Path, tmp_path: Path) -> None:
    assert "FACE_LIMITS__PIXELS" in refusal(tmp_path / "data", models_dir, FACE_LIMITS__PIXELS="0")


def test_a_missing_model_is_told_with_the_command_that_brings_it(tmp_path: Path) -> None:
    told = refusal(tmp_path / "data", tmp_path)
    assert "facenet-models pull yunet" in told or "facenet-models pull sface" in told


def test_an_unknown_model_is_told_with_the_known_ones(models_dir: Path, tmp_path: Path) -> None:
    assert "sface" in refusal(tmp_path / "data", models_dir, FACE_MODELS__EMBEDDER="sfase")


def test_a_cut_model_is_told(models_dir: Path, tmp_path: Path) -> None:
    for model in models_dir.glob("*.onnx"):
        shutil.copy(model, tmp_path)
    whole = (tmp_path / "sface.onnx").read_bytes()
    (tmp_path / "sface.onnx").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal(tmp_path / "data", tmp_path)


def test_a_provider_that_is_missing_is_told(models_dir: Path, tmp_path: Path) -> None:
    assert "cuda" in refusal(tmp_path / "data", models_dir, FACE_INFERENCE__PROVIDER="cuda")


def test_an_index_that_is_no_index_is_told(models_dir: Path, tmp_path: Path) -> None:
    assert "FACE_GALLERY__INDEX" in refusal(tmp_path / "data", models_dir, FACE_GALLERY__INDEX="HNSW32")


def test_a_damaged_database_is_told(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gallery.sqlite3").write_bytes(b"this is no database" * 100)
    assert "gallery.sqlite3" in refusal(tmp_path / "data", models_dir)


@pytest.mark.parametrize("name", ["facenet", "sface"])
def test_any_embedder_of_the_zoo_is_served(models_dir: Path, tmp_path: Path, photographs: Path, name: str) -> None:
    with serve(tmp_path / "data", models_dir, FACE_MODELS__EMBEDDER=name) as served:
        files = {"image_a": (photographs / "obama" / "obama.jpg").read_bytes()}
        files["image_b"] = (photographs / "obama" / "obama2.jpg").read_bytes()
        answer = httpx.post(f"{served.url}/verify", files=files).json()
        assert answer["model"]["name"] == name
        assert answer["verified"] is True


def test_a_collection_of_another_model_is_409(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    photograph = (photographs / "obama" / "obama.jpg").read_bytes()
    with serve(tmp_path / "data", models_dir) as served:
        httpx.put(f"{served.url}/collections/default/subjects/obama", json={})
        faces = f"{served.url}/collections/default/subjects/obama/faces"
        assert httpx.post(faces, files={"images": photograph}).status_code == 201
        assert served.stop() == 0
    with serve(tmp_path / "data", models_dir, FACE_MODELS__EMBEDDER="facenet") as served:
        faces = f"{served.url}/collections/default/subjects/obama/faces"
        for answer in (
            httpx.post(f"{served.url}/identify", files={"image": photograph}),
            httpx.post(faces, files={"images": photograph}),
            httpx.post(f"{served.url}/cluster?collection=default"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
