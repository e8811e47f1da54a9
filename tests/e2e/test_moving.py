"""`facenet export` and `facenet import`, between running services with other databases."""

import gzip
import json
import os
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.collection_files import content_of, lines_of, parts_of, with_checksums, write_file
from tests.support.face_lines import NDJSON, base64_line, unit_vectors
from tests.support.postgres_server import PostgresServer
from tests.support.running_service import RunningService, facenet_command, run_service

pytestmark = pytest.mark.slow

FACES = 5_000
DIMENSION = 128


def run(*arguments: str, code: int = 0) -> str:
    wide = os.environ | {"COLUMNS": "400"}  # else a message is wrapped where the path of the file is long
    result = subprocess.run(
        facenet_command(*arguments), capture_output=True, text=True, timeout=120, check=False, env=wide
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def fill(url: str, collection: str, faces: int = FACES) -> None:
    """Enrol faces in a collection that keeps them for 400 days. One subject has no face."""
    path = f"{url}/collections/{collection}"
    httpx.put(path, json={"expires_after_days": 400}).raise_for_status()
    model = httpx.get(f"{url}/model").json()["id"]
    for start in range(0, faces, 5_000):
        vectors = unit_vectors(min(5_000, faces - start), seed=start)
        lines = [
            base64_line(
                f"s{(start + i) // 2}",
                one,
                model,
                name=f"Person \N{GREEK SMALL LETTER OMEGA} {i}",
                metadata={"n": [i, i / 7, None]},
            )
            for i, one in enumerate(vectors)
        ]
        httpx.post(f"{path}/faces", content=b"\n".join(lines), headers=NDJSON, timeout=60).raise_for_status()
    httpx.put(f"{path}/subjects/nobody", json={"metadata": {"why": "no face"}}).raise_for_status()


def stored(url: str, collection: str) -> dict[str, Any]:
    """Return all that a client can read of a collection. Of some subjects, this is all that is stored."""
    path = f"{url}/collections/{collection}"
    fields = httpx.get(path).raise_for_status().json()
    subjects: dict[str, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = httpx.get(f"{path}/subjects?limit=1000" + (f"&cursor={cursor}" if cursor else "")).json()
        subjects |= {item["id"]: item for item in page["items"]}
        cursor = page["next_cursor"]
    some = ["nobody", "s0", "s1", f"s{FACES // 4}"]
    exports = {subject: httpx.get(f"{path}/subjects/{subject}/export").json() for subject in some}
    for export in exports.values():
        export.pop("audit")
    return {**fields, "index": None, "subjects": subjects, "exports": exports}


def test_sqlite_to_postgresql_to_sqlite_is_identical(
    models_dir: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    pgvector = {"FACE_GALLERY__URL": postgres.create_database(), "FACE_GALLERY__INDEX": "pgvector"}
    first, second = tmp_path / "first.gz", tmp_path / "second.gz"
    with (
        run_service(tmp_path / "a", models_dir) as a,
        run_service(tmp_path / "b", models_dir, **pgvector) as b,
        run_service(tmp_path / "c", models_dir) as c,
    ):
        fill(a.url, "people")
        assert f"{FACES:,} faces of people" in run("export", "people", str(first), "--url", a.url)
        output = run("import", str(first), "--url", b.url)
        assert f"{FACES:,} faces" in output
        assert "100%" in output
        run("export", "people", str(second), "--url", b.url)
        run("import", str(second), "--url", c.url)
        before = stored(a.url, "people")
        assert stored(b.url, "people") == before
        assert stored(c.url, "people") == before
        assert content_of(gzip.decompress(second.read_bytes())) == content_of(gzip.decompress(first.read_bytes()))
        for service in (a, b, c):
            assert search(service.url, "people", 17) == "s8"
            assert httpx.get(f"{service.url}/readyz").status_code == 200
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert sorted(tmp_path.glob(".*")) == []


def search(url: str, collection: str, face: int) -> str:
    """Return the subject that is found for a face of `fill`."""
    model = httpx.get(f"{url}/model").json()["id"]
    body = {"image": {"embedding": unit_vectors(5_000)[face].tolist(), "model": model}}
    query: dict[str, str | float] = {"collection": collection, "threshold": 0.001}
    found = httpx.post(f"{url}/identify", params=query, json=body, timeout=60).raise_for_status().json()
    return str(found["faces"][0]["subject"])


@pytest.fixture(scope="module")
def exported(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the lines of a collection. It is deleted after the export."""
    file = tmp_path_factory.mktemp("exported") / "file"
    fill(service.url, "exported")
    run("export", "exported", str(file), "--url", service.url)
    httpx.delete(f"{service.url}/collections/exported").raise_for_status()
    return gzip.decompress(file.read_bytes())


def cut(lines: bytes) -> bytes:
    return gzip.compress(lines)[:-2_000]


def flip(lines: bytes) -> bytes:
    place = lines.index(b'"embedding_base64":"', len(lines) // 2) + 30
    return gzip.compress(lines[:place] + bytes([lines[place] ^ 1]) + lines[place + 1 :])


def flip_compressed(lines: bytes) -> bytes:
    whole = bytearray(gzip.compress(lines))
    whole[len(whole) // 2] ^= 1
    return bytes(whole)


def without_a_line(lines: bytes) -> bytes:
    every = lines.splitlines(keepends=True)
    return gzip.compress(b"".join(every[:3_000] + every[3_001:]))


def without_a_part(lines: bytes) -> bytes:
    parts = parts_of(lines)
    return gzip.compress(b"".join(parts[:2] + parts[3:]))


def without_end(lines: bytes) -> bytes:
    return gzip.compress(b"".join(parts_of(lines)[:-1]))


def with_more(lines: bytes) -> bytes:
    return gzip.compress(lines + b"{}\n")


def changed(change: Callable[[list[list[dict[str, Any]]]], object]) -> Callable[[bytes], bytes]:
    """Return what changes lines of a file, and makes its checksums right again."""

    def make(lines: bytes) -> bytes:
        read = lines_of(parts_of(lines))
        change(read)
        return gzip.compress(b"".join(with_checksums(read)), 1)

    return make


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": cut,
    "one bit": flip,
    "one compressed bit": flip_compressed,
    "a line is missing": without_a_line,
    "a part is missing": without_a_part,
    "the end is missing": without_end,
    "lines follow": with_more,
    "wrong count": changed(lambda parts: parts[-1][-1].update(faces=FACES - 1)),
    "other version": changed(lambda parts: parts[0][0].update(version=2)),
    "other dimension": changed(lambda parts: parts[0][0].update(dimension=DIMENSION // 2)),
    "a bad face at the end": changed(lambda parts: parts[-1][-2].update(subject="unknown")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_leaves_nothing(service: RunningService, exported: bytes, tmp_path: Path, name: str) -> None:
    file = tmp_path / "damaged.gz"
    file.write_bytes(DAMAGES[name](exported))
    assert "facenet: " in run("import", str(file), "--url", service.url, "--collection", "damaged", code=1)
    assert httpx.get(f"{service.url}/collections/damaged").status_code == 404


def test_an_import_that_was_killed_continues(models_dir: Path, exported: bytes, tmp_path: Path) -> None:
    file, data_dir = write_file(tmp_path / "file.gz", exported), tmp_path / "data"
    parts = parts_of(exported)
    with run_service(data_dir, models_dir) as service:
        for part in parts[:3]:
            httpx.post(f"{service.url}/collections/exported/import", content=part, headers=NDJSON).raise_for_status()
        service.kill()
    with run_service(data_dir, models_dir) as service:
        found = httpx.get(f"{service.url}/collections/exported").json()
        assert found["import_unfinished"]
        assert 0 < found["subjects"] + found["faces"] < FACES
        refused = httpx.get(f"{service.url}/collections/exported/subjects")
        assert refused.json()["code"] == "import_unfinished"
        begins_alike = lines_of(parts)[:1]
        counts = Counter(line["type"] for line in begins_alike[0])
        end = {"type": "end", "subjects": counts["subject"], "faces": counts["face"]}
        begins_alike[0][0]["subjects"] += 1
        other = write_file(tmp_path / "other.gz", b"".join(with_checksums([*begins_alike, [end]])))
        assert "is not finished" in run("import", str(other), "--url", service.url, code=1)
        run("import", str(file), "--url", service.url)
        assert content_of(httpx.get(f"{service.url}/collections/exported/export").content) == content_of(exported)
        assert search(service.url, "exported", 17) == "s8"
        assert "has subjects" in run("import", str(file), "--url", service.url, code=1)


def test_a_command_that_was_killed_continues(models_dir: Path, exported: bytes, tmp_path: Path) -> None:
    file = write_file(tmp_path / "file.gz", exported)
    with run_service(tmp_path / "data", models_dir) as service:
        command = facenet_command("import", str(file), "--url", service.url)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        service.wait_until(lambda: httpx.get(f"{service.url}/collections/exported").status_code == 200)
        process.kill()
        process.wait(60)
        run("import", str(file), "--url", service.url)
        assert content_of(httpx.get(f"{service.url}/collections/exported/export").content) == content_of(exported)


def test_a_file_is_not_overwritten_and_an_unknown_collection_makes_none(
    service: RunningService, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    assert "There is no collection unknown, or the access key does not include it." in run(
        "export", "unknown", str(file), "--url", service.url, code=1
    )
    assert list(tmp_path.iterdir()) == []
    file.write_text("mine")
    assert "exists already" in run("export", "default", str(file), "--url", service.url, code=1)
    assert file.read_text() == "mine"


def test_an_empty_collection_moves_too(service: RunningService, tmp_path: Path) -> None:
    file = tmp_path / "file"
    httpx.put(f"{service.url}/collections/empty", json={"expires_after_days": 3}).raise_for_status()
    before = httpx.get(f"{service.url}/collections/empty").json()
    run("export", "empty", str(file), "--url", service.url)
    assert [json.loads(line)["type"] for line in gzip.decompress(file.read_bytes()).splitlines()] == [
        "collection",
        "end",
    ]
    run("import", str(file), "--url", service.url, "--collection", "copy")
    assert httpx.get(f"{service.url}/collections/copy").json() == {**before, "id": "copy"}
    run("import", str(file), "--url", service.url)  # into an empty collection
    assert httpx.get(f"{service.url}/collections/empty").json() == before
