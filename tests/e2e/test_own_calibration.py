"""The calibration of a collection in a running service: after a kill and a restore, by keys, and while faces change."""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.embedding import Embeddings
from tests.conftest import ROOT
from tests.support.made_up_people import make_people
from tests.support.page_commands import project_folder, run_python
from tests.support.running_service import RunningService, facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow
PEOPLE = make_people(60)
OPERATOR = "a-key-of-the-operator-for-tests-only"
KEY_SETTING = "FACE_GALLERY__ENCRYPTION_KEY_FILE"


def run_facenet(data_dir: Path, models_dir: Path, *arguments: str, **settings: str) -> None:
    environment = service_environment(data_dir, models_dir, **settings)
    command = facenet_command(*arguments)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def enrol_people(client: httpx.Client, people: Mapping[str, Embeddings] = PEOPLE) -> None:
    model = client.get("/model").json()["id"]
    client.put("/collections/staff", json={}).raise_for_status()
    for subject, embeddings in people.items():
        path = f"/collections/staff/subjects/{subject}"
        client.put(path, json={}).raise_for_status()
        images = [{"embedding": embeddings[0].tolist(), "model": model}]
        client.post(f"{path}/faces", json={"images": images}).raise_for_status()


def search(client: httpx.Client) -> Any:
    probe = {"embedding": PEOPLE["person-0000"][0].tolist(), "model": client.get("/model").json()["id"]}
    return client.post("/identify?collection=staff", json={"image": probe}).raise_for_status().json()


def connect(service: RunningService, key: str = "") -> httpx.Client:
    return httpx.Client(base_url=service.url, timeout=60, headers={"x-api-key": key} if key else {})


@pytest.fixture
def key_file(models_dir: Path, tmp_path: Path) -> Path:
    run_facenet(tmp_path / "none", models_dir, "encryption-key", str(tmp_path / "key"))
    return tmp_path / "key"


def test_in_an_encrypted_gallery_it_is_used_after_a_kill_and_after_a_restore(
    models_dir: Path, tmp_path: Path, key_file: Path
) -> None:
    settings = {KEY_SETTING: str(key_file)}
    with run_service(tmp_path / "data", models_dir, **settings) as service, connect(service) as client:
        enrol_people(client)
        measured = client.post("/collections/staff/calibration").raise_for_status().json()
        client.patch("/collections/staff", json={"calibration": "own"}).raise_for_status()
        before = search(client)
        service.kill()
    with run_service(tmp_path / "data", models_dir, **settings) as service, connect(service) as client:
        assert search(client) == before
        run_facenet(tmp_path / "none", models_dir, "backup", str(tmp_path / "backup"), "--url", service.url)
    run_facenet(tmp_path / "restored", models_dir, "restore", str(tmp_path / "backup"), **settings)
    with run_service(tmp_path / "restored", models_dir, **settings) as service, connect(service) as client:
        assert search(client) == before
        assert client.get("/collections/staff/calibration").json()["own"] == measured["own"]
    assert before["calibration"] == "own"


def test_the_steps_of_the_page_give_a_threshold_that_verify_uses_and_own_does_not_change_verify(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project_folder(tmp_path))
    pair = [("image_a", "obama/obama.jpg"), ("image_b", "biden/biden.jpg")]
    files = {name: (ROOT / "var" / "photographs" / file).read_bytes() for name, file in pair}
    with connect(service) as client:
        enrol_people(client, make_people(120))
        names = run_python(ROOT / "docs" / "thresholds.md", service.url, capsys)
        names["client"].close()
        assert [row.fmr <= names["wanted"] for row in names["measured"].own.rates].count(True) == len(names["rows"]) > 0
        for options in ("", "?max_fmr=0.001", f"?threshold={names['threshold']}"):
            client.patch("/collections/staff", json={"calibration": "model"}).raise_for_status()
            before = client.post(f"/verify{options}", files=files).raise_for_status().json()
            client.patch("/collections/staff", json={"calibration": "own"}).raise_for_status()
            assert client.post(f"/verify{options}", files=files).json() == before
        client.delete("/collections/staff").raise_for_status()


@pytest.fixture
def closed_service(models_dir: Path, tmp_path: Path) -> Iterator[RunningService]:
    (tmp_path / "operator").write_text(OPERATOR)
    with run_service(tmp_path / "data", models_dir, FACE_ADMIN_KEY_FILE=str(tmp_path / "operator")) as service:
        yield service


def test_a_key_measures_and_deletes_it_with_admin_only_and_reads_it_with_read_only(
    closed_service: RunningService,
) -> None:
    with connect(closed_service, OPERATOR) as operator:
        enrol_people(operator)
        keys = {
            scope: operator.post("/keys", json={"scopes": [scope], "collections": ["staff"]}).json()["key"]
            for scope in ("verify", "read", "enrol", "admin")
        }
    answers: dict[str, list[int]] = {}
    for scope, key in keys.items():
        with connect(closed_service, key) as client:
            calls = [client.request(method, "/collections/staff/calibration") for method in ("POST", "GET", "DELETE")]
            answers[scope] = [call.status_code for call in calls]
    assert answers == {
        "verify": [403, 403, 403],
        "read": [403, 404, 403],  # nothing is measured yet
        "enrol": [403, 403, 403],
        "admin": [200, 403, 204],
    }


def test_faces_can_be_enrolled_and_deleted_while_it_is_measured(service: RunningService) -> None:
    with connect(service) as client, connect(service) as other:
        enrol_people(client)
        stop, statuses = threading.Event(), set[int]()

        def change() -> None:
            model = other.get("/model").json()["id"]
            while not stop.is_set():
                for subject in list(PEOPLE)[:5]:
                    path = f"/collections/staff/subjects/{subject}"
                    statuses.add(other.delete(path).status_code)
                    statuses.add(other.put(path, json={}).status_code)
                    images = [{"embedding": PEOPLE[subject][0].tolist(), "model": model}]
                    statuses.add(other.post(f"{path}/faces", json={"images": images}).status_code)

        changing = threading.Thread(target=change)
        changing.start()
        measured = [client.post("/collections/staff/calibration") for _ in range(5)]
        stop.set()
        changing.join()
        client.delete("/collections/staff").raise_for_status()
    assert {answer.status_code for answer in measured} == {200}
    assert statuses <= {200, 201, 204}
    assert all(54 <= answer.json()["own"]["people"] <= 60 for answer in measured)
