"""An encrypted gallery with real photographs: what a thief of the disk can do with a photograph, and the commands."""

import hashlib
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.running_service import facenet_command, run_service, service_environment

pytestmark = pytest.mark.slow
PEOPLE = 60
KEY_SETTING = "FACE_GALLERY__ENCRYPTION_KEY_FILE"
Vectors = NDArray[np.float32]


def run_facenet(data_dir: Path, models_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = service_environment(data_dir, models_dir, **settings)
    command = facenet_command(*arguments)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def key_file(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "key"
    made = run_facenet(file.parent / "data", models_dir, "encryption-key", str(file))
    assert made.returncode == 0, made.stderr
    return file


def stored_vectors(database: Path, dimension: int) -> list[Vectors]:
    """Return what a thief can read as vectors: the stored bytes at every offset, by offset, (n, d) float32."""
    with closing(sqlite3.connect(database)) as connection:
        rows = [row[0] for row in connection.execute("SELECT embedding FROM faces ORDER BY number")]
    size_bytes = 4 * dimension
    found = []
    for offset in range(len(rows[0]) - size_bytes + 1):
        vectors = np.stack([np.frombuffer(row, np.float32, dimension, offset) for row in rows])
        found.append(np.nan_to_num(np.clip(vectors, -1e3, 1e3)))
    return found


def rank_1(vectors: Vectors, probes: Vectors) -> float:
    """Return how often the most similar vector is that of the same person. Row by row, they are of the same people."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    similarities = probes @ (vectors / np.where(lengths > 0, lengths, 1)).T
    return float(np.mean(similarities.argmax(axis=1) == np.arange(len(probes))))


def embed(url: str, photograph: Path) -> Any:
    options = {"include": "embedding"}
    answer = httpx.post(f"{url}/embed", params=options, files={"images": photograph.read_bytes()}, timeout=60)
    return answer.raise_for_status().json()["images"][0]["faces"][0]["embedding"]


def test_a_thief_of_the_disk_finds_nobody_with_a_photograph(
    models_dir: Path, tmp_path: Path, lfw: Path, key_file: Path
) -> None:
    """By chance, one of 60 probes is right. Nine or more at any of the 29 offsets: by chance once in 50,000 runs."""
    people = [person for person in sorted((lfw / "images").iterdir()) if (person / f"{person.name}_0002.jpg").exists()]
    people = people[:: len(people) // PEOPLE][:PEOPLE]
    for name, settings in (("plain", {}), ("encrypted", {KEY_SETTING: str(key_file)})):
        with run_service(tmp_path / name, models_dir, **settings) as service:
            probes = np.array([embed(service.url, person / f"{person.name}_0002.jpg") for person in people], np.float32)
            for person in people:
                subject = f"{service.url}/collections/default/subjects/{person.name}"
                httpx.put(subject, json={"name": person.name}).raise_for_status()
                photograph = (person / f"{person.name}_0001.jpg").read_bytes()
                httpx.post(
                    f"{subject}/faces?min_quality=0&on_several=main", files={"images": photograph}, timeout=60
                ).raise_for_status()
            assert service.stop() == 0
        rates = [rank_1(vectors, probes) for vectors in stored_vectors(tmp_path / name / "gallery.sqlite3", 128)]
        if settings:
            assert max(rates) <= 8 / PEOPLE
        else:
            assert rates[0] > 0.9
    content = (tmp_path / "encrypted" / "gallery.sqlite3").read_bytes()
    assert [person.name for person in people if person.name.encode() in content] == []


def test_an_encrypted_backup_is_restored_with_its_key_only(models_dir: Path, tmp_path: Path, key_file: Path) -> None:
    name, file = "Rumpelstiltskin", tmp_path / "gallery.tar"
    with run_service(tmp_path / "data", models_dir) as service:
        httpx.put(f"{service.url}/collections/default/subjects/{name}", json={"name": name}).raise_for_status()
        saved = run_facenet(
            tmp_path / "data", models_dir, "backup", str(file), "--url", service.url, "--encrypt-with", str(key_file)
        )
    assert saved.returncode == 0, saved.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert name.encode() not in file.read_bytes()
    refused = run_facenet(tmp_path / "other", models_dir, "restore", str(file))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "--decrypt-with" in refused.stderr
    restored = run_facenet(tmp_path / "other", models_dir, "restore", str(file), "--decrypt-with", str(key_file))
    assert restored.returncode == 0, restored.stderr
    with run_service(tmp_path / "other", models_dir) as service:
        assert httpx.get(f"{service.url}/collections/default/subjects/{name}").json()["name"] == name


def test_the_key_of_a_gallery_is_replaced_and_the_old_one_is_refused(
    models_dir: Path, tmp_path: Path, key_file: Path
) -> None:
    new = tmp_path / "new-key"
    assert run_facenet(tmp_path / "data", models_dir, "encryption-key", str(new)).returncode == 0
    with run_service(tmp_path / "data", models_dir, **{KEY_SETTING: str(key_file)}) as service:
        httpx.put(f"{service.url}/collections/default/subjects/anna", json={"name": "Anna"}).raise_for_status()
        assert service.stop() == 0
    replaced = run_facenet(tmp_path / "data", models_dir, "rotate-encryption-key", str(key_file), str(new))
    assert replaced.returncode == 0, replaced.stderr
    refused = run_facenet(tmp_path / "data", models_dir, "serve", **{KEY_SETTING: str(key_file)})
    assert refused.returncode == 1
    assert "is encrypted with the key" in refused.stderr
    with run_service(tmp_path / "data", models_dir, **{KEY_SETTING: str(new)}) as service:
        assert httpx.get(f"{service.url}/collections/default/subjects/anna").json()["name"] == "Anna"
        assert str(new.read_text().strip()) not in "".join(service.log_lines)


def test_an_access_key_and_the_key_of_the_gallery_are_used_together(
    models_dir: Path, tmp_path: Path, key_file: Path, photographs: Path
) -> None:
    access, exported, saved = (tmp_path / name for name in ("access.key", "ada.json", "gallery.tar"))
    data_dir, restored = tmp_path / "data", tmp_path / "restored"
    photograph = min(photographs.rglob("*.jpg")).read_bytes()
    with run_service(data_dir, models_dir, **{KEY_SETTING: str(key_file)}) as service:
        ada = f"{service.url}/collections/default/subjects/ada"
        httpx.put(ada, json={"name": "Ada", "metadata": {"floor": 3}}).raise_for_status()
        httpx.post(f"{ada}/faces?on_several=main", files={"images": photograph}, timeout=60).raise_for_status()
        common = "--url", service.url
        made = run_facenet(
            data_dir, models_dir, "keys", "create", "--scope", "admin,read", "--out", str(access), *common
        )
        assert made.returncode == 0, made.stderr
        for command in (("export-subject", "ada", exported), ("backup", saved, "--encrypt-with", key_file)):
            done = run_facenet(data_dir, models_dir, *map(str, command), "--key-file", str(access), *common)
            assert done.returncode == 0, done.stderr
        assert service.stop() == 0
    about = json.loads(exported.read_text("utf-8"))
    assert (about["subject"]["name"], about["subject"]["metadata"]) == ("Ada", {"floor": 3})
    assert about["faces"][0]["image_sha256"] == hashlib.sha256(photograph).hexdigest()
    assert len(about["faces"][0]["embedding"]) > 0
    keys = {KEY_SETTING: str(key_file)}
    done = run_facenet(restored, models_dir, "restore", str(saved), "--decrypt-with", str(key_file), **keys)
    assert done.returncode == 0, done.stderr
