"""The audit log of a running service, and the commands that read it."""

import json
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.commands import run_for_nobody
from tests.support.running_service import RunningService, facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow
NAME = "Rumpelstiltskin"
CLIENTS = 4
CHANGES_BEFORE_KILL = 40


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def audit(data_dir: Path, models_dir: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = service_environment(data_dir, models_dir) | settings
        command = facenet_command("audit", *arguments)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def shown(audit: Callable[..., subprocess.CompletedProcess[str]], *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in audit("show", *arguments).stdout.splitlines()]


def embedding(seed: int, model: str) -> dict[str, Any]:
    vector = np.random.default_rng(seed).standard_normal(128)
    return {"embedding": (vector / np.linalg.norm(vector)).tolist(), "model": model}


def create_subjects(url: str, client: int) -> Iterator[str]:
    """Create subjects until the service is killed, and yield the id of the request of each acknowledged change."""
    with httpx.Client(base_url=url) as connection:
        for number in range(10_000):
            request = f"client-{client}-{number}"
            path = f"/collections/default/subjects/{client}.{number}"
            try:
                connection.put(path, json={}, headers={"X-Request-ID": request}).raise_for_status()
            except httpx.TransportError:
                return
            yield request


def test_every_acknowledged_change_has_its_line_after_kill_9(
    data_dir: Path, models_dir: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    acknowledged: list[str] = []
    for start in range(3):
        with run_service(data_dir, models_dir, FACE_MODELS__EMBEDDER="compact") as service:
            clients = [
                threading.Thread(
                    target=lambda number, url: acknowledged.extend(create_subjects(url, number)),
                    args=(10 * start + number, service.url),
                )
                for number in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            wait_for_lines(service, data_dir, (start + 1) * CHANGES_BEFORE_KILL)
            assert audit("verify").returncode == 0  # beside the running service
            service.kill()
            for client in clients:
                client.join()
        checked = audit("verify")
        assert checked.returncode == 0, checked.stdout
    written = {line.get("request") for line in shown(audit)}
    assert len(acknowledged) >= 2 * CHANGES_BEFORE_KILL
    assert set(acknowledged) <= written


def wait_for_lines(service: RunningService, data_dir: Path, count: int) -> None:
    service.wait_until(lambda: len(log_lines(data_dir)) > count)


def log_lines(data_dir: Path) -> list[bytes]:
    return [line for file in sorted((data_dir / "audit").glob("*.jsonl")) for line in file.read_bytes().splitlines()]


def test_the_log_knows_what_was_done_and_nothing_about_persons(
    data_dir: Path, models_dir: Path, photographs: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    photograph = (photographs / "obama" / "obama.jpg").read_bytes()
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        subject = f"/collections/default/subjects/{NAME}"
        client.put(subject, json={"name": NAME, "metadata": {"note": NAME}}).raise_for_status()
        enrolled = client.post(f"{subject}/faces", files={"images": photograph}).json()["results"][0]
        client.post(
            "/verify",
            json={
                "image_a": {"subject": NAME, "collection": "default"},
                "image_b": {"face": enrolled["face"], "collection": "default"},
            },
        ).raise_for_status()
        client.post("/identify", files={"image": photograph}).raise_for_status()
        client.post("/embed", params={"include": "embedding"}, files={"images": photograph}).raise_for_status()
        client.post("/cluster?collection=default").raise_for_status()
        client.post("/backup").raise_for_status()
        assert client.get(f"/collections/{NAME}").status_code == 404
        assert client.post(subject, json={}, headers={"Origin": "https://evil.example"}).status_code == 403
        client.delete(subject).raise_for_status()
        assert service.stop() == 0
    lines = shown(audit)
    outcomes = [(line["event"], line.get("route"), line.get("counts")) for line in lines]
    assert [event for event, _, _ in outcomes] == [
        "file",
        "change",
        "change",
        "decision",
        "decision",
        "decision",
        "decision",
        "backup",
        "refusal",
        "refusal",
        "change",
    ]
    assert outcomes[3:5] == [
        ("decision", "/verify", {"match": 1}),
        ("decision", "/identify", {"faces": 1, "match": 1, "ambiguous": 0, "unknown": 0}),
    ]
    about = shown(audit, "--collection", "default", "--subject", NAME)
    assert [line["seq"] for line in about] == [2, 3, 4, 5, 11]
    log = b"".join(log_lines(data_dir))
    for secret in (NAME, enrolled["face"], '"distance"', "obama"):
        assert secret.encode() not in log
    # A distance has decimals. Of the numbers in the log, the thresholds alone have some.
    with_decimals: set[str] = set()
    for line in log_lines(data_dir):
        json.loads(line, parse_float=with_decimals.add)
    assert with_decimals == {"1.242", "1.309"}


def test_a_deletion_has_a_receipt_that_can_be_checked(
    data_dir: Path, models_dir: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        model = client.get("/model").json()["id"]
        client.put("/collections/friends")
        client.put(f"/collections/friends/subjects/{NAME}", json={})
        answer = client.post(
            f"/collections/friends/subjects/{NAME}/faces", json={"images": [embedding(0, model), embedding(1, model)]}
        )
        face = answer.json()["results"][0]["face"]
        paths = [f"/collections/friends/faces/{face}", f"/collections/friends/subjects/{NAME}", "/collections/friends"]
        answers = [client.delete(path) for path in paths]
        assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 3
        receipts = [answer.headers["x-deletion-receipt"] for answer in answers]
        assert "x-deletion-receipt" not in client.delete(paths[0]).headers
        for kind, receipt in zip(("face", "subject", "collection"), receipts, strict=True):
            checked = audit("receipt", receipt)
            assert checked.returncode == 0
            assert f"Genuine: a {kind} was deleted" in checked.stdout
        service.wait_until(lambda: "face_gallery_remains 0.0" in client.get("/metrics").text)
        assert "Nothing of it is left in the data directory" in audit("receipt", receipts[0]).stdout
        assert service.stop() == 0
    assert "Nothing of it is left in the data directory" in audit("receipt", receipts[2]).stdout
    server = {"FACE_GALLERY__URL": "postgresql://face@127.0.0.1:1/face"}  # neither command reads it
    assert "Genuine: a face was deleted" in audit("receipt", receipts[0], **server).stdout
    assert "the records are in PostgreSQL" in audit("receipt", receipts[0], **server).stdout
    assert "pass it with --head" in audit("verify", **server).stdout
    numbers = [int(receipt.partition("-")[0]) for receipt in receipts]
    assert deletions(audit, "--collection", "friends") == numbers
    assert deletions(audit, "--collection", "friends", "--subject", NAME) == numbers[:2]
    number, _, digits = receipts[0].partition("-")
    forged = audit("receipt", f"{int(number) + 1}-{digits}")
    assert (forged.returncode, "not genuine" in forged.stdout, "without the directory audit/" in forged.stdout) == (
        1,
        True,
        True,
    )
    for wrong in ("1", "x", receipts[0][:-1], f"{receipts[0]}0"):
        refused = audit("receipt", wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "has not the form of a receipt" in refused.stderr
    environment = service_environment(data_dir, models_dir)
    assert run_for_nobody("audit", "show", **environment) == (1, "")
    content = b"".join(file.read_bytes() for file in data_dir.rglob("*") if file.is_file())
    assert NAME.encode() not in content


def test_a_receipt_is_no_proof_any_more_after_an_older_backup_was_restored(
    data_dir: Path, models_dir: Path, tmp_path: Path
) -> None:
    first, second = f"/collections/default/subjects/{NAME}", "/collections/default/subjects/bob"
    restored, file = tmp_path / "restored", tmp_path / "backup.tar"
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        for path in (first, second):
            client.put(path, json={}).raise_for_status()
        before = client.delete(second).headers["x-deletion-receipt"]
        file.write_bytes(client.post("/backup").raise_for_status().content)
        after = client.delete(first).headers["x-deletion-receipt"]
        assert service.stop() == 0

    def check(receipt: str) -> tuple[int, str]:
        environment = service_environment(restored, models_dir)
        command = facenet_command("audit", "receipt", receipt)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    command = facenet_command("restore", str(file))
    subprocess.run(command, env=service_environment(restored, models_dir), capture_output=True, check=True)
    shutil.copytree(data_dir / "audit", restored / "audit", dirs_exist_ok=True)
    for is_opened in (False, True):
        assert check(before)[0] == 0
        code, text = check(after)
        assert (code, "is in the gallery again" in text, "Nothing of it is left" in text) == (1, True, False)
        if not is_opened:
            with run_service(restored, models_dir) as service, httpx.Client(base_url=service.url) as client:
                assert client.get(first).status_code == 200
                again = client.delete(first).headers["x-deletion-receipt"]
                service.wait_until(lambda: "face_gallery_remains 0.0" in client.get("/metrics").text)
                assert service.stop() == 0
    assert check(again)[0] == 0
    assert "Nothing of it is left" in check(again)[1]


def deletions(audit: Callable[..., subprocess.CompletedProcess[str]], *about: str) -> list[int]:
    """Return the numbers of the lines of deletions, as docs/erasure.md finds them."""
    printed = audit("show", *about).stdout.splitlines()
    return [json.loads(line)["seq"] for line in printed if re.search('"event": "change".*"method": "DELETE"', line)]


def test_a_cut_end_is_found_by_the_note_in_the_database_and_by_a_stored_head(
    data_dir: Path, models_dir: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    for number in range(2):
        with run_service(data_dir, models_dir) as service:
            httpx.put(f"{service.url}/collections/c{number}").raise_for_status()
            assert service.stop() == 0
    head = audit("head").stdout.strip()
    assert audit("verify", "--head", head).returncode == 0
    last = max((data_dir / "audit").glob("*.jsonl"))
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))
    cut = audit("verify")
    assert (cut.returncode, "The end was cut off" in cut.stdout) == (1, True)
    with closing(sqlite3.connect(data_dir / "gallery.sqlite3")) as connection, connection:
        connection.execute("DELETE FROM audit_heads")
    assert audit("verify").returncode == 0
    assert audit("verify", "--head", head).returncode == 1


def test_a_damaged_log_does_not_stop_the_service_and_is_reported_at_the_start(
    data_dir: Path, models_dir: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with run_service(data_dir, models_dir) as service:
        httpx.put(f"{service.url}/collections/friends").raise_for_status()
        assert service.stop() == 0
    for file in (data_dir / "audit").glob("*.jsonl"):
        file.unlink()
    with run_service(data_dir, models_dir) as service:
        service.wait_for_log('"audit_log_cut"')
        assert service.stop() == 0
    checked = audit("verify")
    assert (checked.returncode, "the end of the log was missing" in checked.stdout) == (1, True)


def test_without_a_writable_log_changes_are_refused_and_decisions_go_on(
    data_dir: Path, models_dir: Path, tmp_path: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        model = client.get("/model").json()["id"]
        (data_dir / "audit").rename(tmp_path / "taken")
        client.put("/collections/running")  # it is stored, and its line waits
        refused = client.put("/collections/refused")
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        pair = {"image_a": embedding(0, model), "image_b": embedding(1, model)}
        assert client.post("/verify", json=pair).status_code == 200
        assert client.get("/collections/refused").status_code == 404
        service.wait_for_log('"audit_log_not_written"')
        (tmp_path / "taken").rename(data_dir / "audit")
        service.wait_for_log('"audit_log_written"')
        assert client.put("/collections/refused").status_code == 201
        assert service.stop() == 0
    collections = [line.get("collection") for line in shown(audit) if line["event"] == "change"]
    assert collections == ["running", "refused"]
    assert [line["route"] for line in shown(audit) if line["event"] == "decision"] == ["/verify"]
    assert audit("verify").returncode == 0


def test_all_about_a_subject_is_in_one_file(
    data_dir: Path, models_dir: Path, tmp_path: Path, photographs: Path
) -> None:
    photograph = (photographs / "obama" / "obama.jpg").read_bytes()
    file = tmp_path / "subject.json"
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        model = client.get("/model").json()["id"]
        path = "/collections/default/subjects/ada"
        subject = client.put(path, json={"name": "Ada", "metadata": {"team": "engines"}}).json()
        client.post(f"{path}/faces", files={"images": photograph}).raise_for_status()
        sent = embedding(0, model)
        client.post(f"{path}/faces", json={"images": [sent]}).raise_for_status()
        client.put("/collections/default/subjects/bob", json={"name": "Bob"})
        faces = client.get(f"{path}/faces").json()["items"]
        result = export(service, file)
        assert result.returncode == 0, result.stderr
        assert export(service, file).returncode == 1  # it is not overwritten
        assert client.get("/collections/default/subjects/nobody/export").json()["code"] == "subject_not_found"
    exported = json.loads(file.read_text("utf-8"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert (exported["collection"], exported["subject"]) == ("default", {**subject, "faces": 2})
    assert exported["model"] == model
    stored = {face["id"]: {name: face[name] for name in faces[0]} for face in exported["faces"]}
    assert stored == {face["id"]: face for face in faces}
    assert np.allclose(exported["faces"][1]["embedding"], sent["embedding"], atol=1e-6)
    assert [line["event"] for line in exported["audit"]] == ["change", "change", "change", "export"]
    assert "Bob" not in file.read_text("utf-8")


def export(service: RunningService, file: Path) -> subprocess.CompletedProcess[str]:
    command = facenet_command("export-subject", "ada", str(file), "--url", service.url)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_faces_that_expired_while_the_service_was_stopped_are_not_found_after_the_start(
    data_dir: Path, models_dir: Path, audit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        model = client.get("/model").json()["id"]
        created = client.put("/collections/friends", json={"expires_after_days": 30})
        assert (created.status_code, created.json()["expires_after_days"]) == (201, 30)
        client.put("/collections/friends/subjects/ada", json={"name": NAME})
        faces = {"images": [embedding(0, model), embedding(1, model)]}
        client.post("/collections/friends/subjects/ada/faces", json=faces).raise_for_status()
        assert service.stop() == 0
    with closing(sqlite3.connect(data_dir / "gallery.sqlite3")) as connection, connection:
        for table in ("faces", "subjects"):
            connection.execute(f"UPDATE {table} SET created_at = datetime(created_at, '-31 days')")  # noqa: S608
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        found = client.post("/identify?collection=friends&threshold=4", json={"image": embedding(0, model)}).json()
        assert found["faces"][0]["candidates"] == []
        assert client.get("/readyz").status_code == 200
        service.wait_until(lambda: client.get("/collections/friends").json()["subjects"] == 0)
        service.wait_until(lambda: "face_gallery_remains 0.0" in client.get("/metrics").text)
        assert service.stop() == 0
    assert NAME.encode() not in (data_dir / "gallery.sqlite3").read_bytes()
    expired = [line["counts"] for line in shown(audit, "--collection", "friends") if line["event"] == "expired"]
    assert expired == [{"faces": 2, "subjects": 0}, {"faces": 0, "subjects": 1}]
    assert audit("verify").returncode == 0
