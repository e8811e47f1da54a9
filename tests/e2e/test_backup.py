"""`facenet backup` and `facenet restore`, with running services."""

import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.enrolling_clients import EnrollingClients, check_acknowledged_faces
from tests.support.running_service import facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow


def run_facenet(data_dir: Path, models_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        facenet_command(*arguments),
        env=service_environment(data_dir, models_dir, **settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_backup_under_load_is_restored_elsewhere_with_everything_that_was_acknowledged(
    models_dir: Path, tmp_path: Path
) -> None:
    file, other_dir = tmp_path / "gallery.tar", tmp_path / "other" / "data"
    with run_service(tmp_path / "data", models_dir) as service:
        clients = EnrollingClients(service.url, httpx.get(f"{service.url}/model").json()["id"])
        clients.start()
        clients.wait_for_acknowledgements()
        acknowledged = dict(clients.acknowledged)
        saved = run_facenet(tmp_path / "data", models_dir, "backup", str(file), "--url", service.url)
        service.kill()
        clients.join()
    assert saved.returncode == 0, saved.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    restored = run_facenet(other_dir, models_dir, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert saved.stdout.removeprefix(str(file)) == restored.stdout.removeprefix(str(other_dir))
    with run_service(other_dir, models_dir) as service:
        check_acknowledged_faces(service.url, acknowledged)


@pytest.fixture(scope="module")
def backup(models_dir: Path, tmp_path_factory: pytest.TempPathFactory, obama: bytes) -> Path:
    """Return a backup of a gallery with one photograph."""
    folder = tmp_path_factory.mktemp("backup")
    with run_service(folder / "data", models_dir) as service:
        httpx.put(f"{service.url}/collections/default/subjects/obama", json={})
        httpx.post(f"{service.url}/collections/default/subjects/obama/faces", files={"images": obama})
        saved = run_facenet(folder / "data", models_dir, "backup", str(folder / "gallery.tar"), "--url", service.url)
        again = run_facenet(folder / "data", models_dir, "backup", str(folder / "gallery.tar"), "--url", service.url)
        missing = run_facenet(folder / "data", models_dir, "backup", str(folder / "no" / "x.tar"), "--url", service.url)
    assert saved.returncode == 0, saved.stderr
    assert (again.returncode, missing.returncode) == (1, 1)
    assert "exists already" in again.stderr
    assert "cannot be written" in missing.stderr
    return folder / "gallery.tar"


def test_a_backup_of_another_model_is_refused(backup: Path, models_dir: Path, tmp_path: Path) -> None:
    refused = run_facenet(tmp_path / "data", models_dir, "restore", str(backup), FACE_MODELS__EMBEDDER="facenet")
    assert refused.returncode == 1
    assert refused.stderr.startswith("facenet: The embeddings of the backup were made by the model ")
    assert "Traceback" not in refused.stderr


def test_a_file_that_is_cut_off_is_refused(backup: Path, models_dir: Path, tmp_path: Path) -> None:
    shutil.copy(backup, tmp_path / "short.tar")
    with (tmp_path / "short.tar").open("r+b") as file:
        file.truncate(backup.stat().st_size // 2)
    refused = run_facenet(tmp_path / "data", models_dir, "restore", str(tmp_path / "short.tar"))
    assert refused.returncode == 1
    assert "cut off" in refused.stderr


def test_a_running_service_is_not_overwritten(backup: Path, models_dir: Path, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", models_dir):
        refused = run_facenet(tmp_path / "data", models_dir, "restore", str(backup))
    assert refused.returncode == 1
    assert "Another process uses" in refused.stderr


def test_without_a_service_no_backup_is_made(models_dir: Path, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"
    failed = run_facenet(tmp_path / "data", models_dir, "backup", str(tmp_path / "x.tar"), "--url", url)
    assert failed.returncode == 1
    assert failed.stderr.startswith("facenet: No service answers")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_taken_from_a_running_service_is_503_and_the_next_start_is_refused(
    models_dir: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    with run_service(data_dir, models_dir) as service:
        httpx.put(f"{service.url}/collections/default/subjects/ada", json={}).raise_for_status()
        (data_dir / "gallery.sqlite3").unlink()
        service.wait_for_log("storage_lost")  # without any request
        for answer in (
            httpx.get(f"{service.url}/readyz"),
            httpx.put(f"{service.url}/collections/default/subjects/bob", json={}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_lost")
        assert httpx.get(f"{service.url}/livez").status_code == 200
        assert service.stop() == 0
    refused = run_facenet(data_dir, models_dir, "serve")
    assert refused.returncode == 1
    assert "gallery.sqlite3 is missing or empty" in refused.stderr
    assert not (data_dir / "gallery.sqlite3").exists()
