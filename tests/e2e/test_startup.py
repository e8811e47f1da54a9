"""A start that fails prints one line, which says what to do, and ends with 1."""

import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.running_service import facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow


def startup_error(data_dir: Path, models_dir: Path, **settings: str) -> str:
    result = subprocess.run(
        facenet_command("serve"),
        env=service_environment(data_dir, models_dir, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    error_lines = [line for line in result.stderr.splitlines() if line.startswith("facenet: ")]
    assert len(error_lines) == 1, result.stderr
    return error_lines[0]


def test_the_service_starts_and_ends_with_0(models_dir: Path, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", models_dir) as service:
        assert service.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{service.url}/readyz").json() == {"status": "ready"}
        assert service.stop() == 0


def test_a_port_in_use_is_reported(models_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as used_socket:
        used_socket.bind(("127.0.0.1", 0))
        used_socket.listen()
        port = str(used_socket.getsockname()[1])
        error = startup_error(tmp_path / "data", models_dir, FACE_PORT=port)
    assert port in error
    assert "make run PORT=8001, or FACE_PORT=8001 for facenet serve" in error


def test_an_unknown_host_is_reported(models_dir: Path, tmp_path: Path) -> None:
    error = startup_error(tmp_path / "data", models_dir, FACE_HOST="no such host")
    assert "make run HOST=127.0.0.1, or FACE_HOST=127.0.0.1 for facenet serve" in error


def test_without_a_key_an_address_that_others_reach_is_refused_with_what_to_do(
    models_dir: Path, tmp_path: Path
) -> None:
    error = startup_error(tmp_path / "data", models_dir, FACE_HOST="0.0.0.0")  # noqa: S104  # as in the image
    assert "`facenet keys generate FILE` makes a key: set FACE_ADMIN_KEY_FILE=FILE" in error
    assert "FACE_HOST=127.0.0.1" in error
    assert "FACE_INSECURE=yes" in error


def test_a_key_file_that_cannot_be_read_is_reported(models_dir: Path, tmp_path: Path) -> None:
    error = startup_error(tmp_path / "data", models_dir, FACE_ADMIN_KEY_FILE=str(tmp_path / "missing.key"))
    assert "FACE_ADMIN_KEY_FILE" in error
    assert "No such file" in error


def test_a_data_directory_in_use_is_reported(models_dir: Path, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", models_dir):
        assert "another process" in startup_error(tmp_path / "data", models_dir).lower()


def test_an_unknown_setting_is_reported_with_the_nearest_name(models_dir: Path, tmp_path: Path) -> None:
    error = startup_error(tmp_path / "data", models_dir, FACE_LIMITS__PIXLES="5")
    assert "FACE_LIMITS__PIXLES" in error
    assert "FACE_LIMITS__PIXELS" in error


def test_a_setting_out_of_range_is_reported(models_dir: Path, tmp_path: Path) -> None:
    assert "FACE_LIMITS__PIXELS" in startup_error(tmp_path / "data", models_dir, FACE_LIMITS__PIXELS="0")


def test_a_missing_model_is_reported_with_the_command_that_downloads_it(tmp_path: Path) -> None:
    error = startup_error(tmp_path / "data", tmp_path)
    assert "facenet-models pull yunet" in error or "facenet-models pull sface" in error


def test_an_unknown_model_is_reported_with_the_known_models(models_dir: Path, tmp_path: Path) -> None:
    error = startup_error(tmp_path / "data", models_dir, FACE_MODELS__EMBEDDER="sfase")
    assert (
        "There is no model sfase. Did you mean sface? Models with the role embedder: compact, facenet, sface, "
        "sface-int8. A model of your own is the file"
    ) in error


def test_a_truncated_model_is_reported(models_dir: Path, tmp_path: Path) -> None:
    for model in models_dir.glob("*.onnx"):
        shutil.copy(model, tmp_path)
    content = (tmp_path / "sface.onnx").read_bytes()
    (tmp_path / "sface.onnx").write_bytes(content[: len(content) // 2])
    assert "damaged" in startup_error(tmp_path / "data", tmp_path)


def test_a_missing_provider_is_reported(models_dir: Path, tmp_path: Path) -> None:
    assert "cuda" in startup_error(tmp_path / "data", models_dir, FACE_INFERENCE__PROVIDER="cuda")


def test_an_unknown_index_is_reported(models_dir: Path, tmp_path: Path) -> None:
    assert "FACE_GALLERY__INDEX" in startup_error(tmp_path / "data", models_dir, FACE_GALLERY__INDEX="HNSW32")


def test_a_damaged_database_is_reported(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gallery.sqlite3").write_bytes(b"this is no database" * 100)
    assert "gallery.sqlite3" in startup_error(tmp_path / "data", models_dir)


@pytest.mark.parametrize("name", ["facenet", "sface"])
def test_every_embedder_of_the_catalogue_can_be_served(
    models_dir: Path, tmp_path: Path, photographs: Path, name: str
) -> None:
    with run_service(tmp_path / "data", models_dir, FACE_MODELS__EMBEDDER=name) as service:
        files = {"image_a": (photographs / "obama" / "obama.jpg").read_bytes()}
        files["image_b"] = (photographs / "obama" / "obama2.jpg").read_bytes()
        answer = httpx.post(f"{service.url}/verify", files=files).json()
        assert answer["model"]["name"] == name
        assert answer["verified"] is True


def test_a_collection_of_another_model_is_409(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    photograph = (photographs / "obama" / "obama.jpg").read_bytes()
    with run_service(tmp_path / "data", models_dir) as service:
        httpx.put(f"{service.url}/collections/default/subjects/obama", json={})
        faces = f"{service.url}/collections/default/subjects/obama/faces"
        assert httpx.post(faces, files={"images": photograph}).status_code == 201
        assert service.stop() == 0
    with run_service(tmp_path / "data", models_dir, FACE_MODELS__EMBEDDER="facenet") as service:
        faces = f"{service.url}/collections/default/subjects/obama/faces"
        for answer in (
            httpx.post(f"{service.url}/identify", files={"image": photograph}),
            httpx.post(faces, files={"images": photograph}),
            httpx.post(f"{service.url}/cluster?collection=default"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
