"""`facenet import`, against a running service."""

import codecs
import gzip
import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.face_lines import base64_line, face_line, unit_vectors
from tests.support.running_service import RunningService, facenet_command, run_service

pytestmark = pytest.mark.slow

FACES = 7_000
"""More than one request of the command."""


def run_import(file: Path, url: str, *options: str, code: int = 0) -> str:
    command = facenet_command("import", str(file), "--url", url, *options)
    wide = os.environ | {"COLUMNS": "400"}  # else a message is wrapped where the path of the file is long
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=wide)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def model_of(url: str) -> str:
    return str(httpx.get(f"{url}/model").json()["id"])


def write_faces(file: Path, model: str, count: int = FACES) -> Path:
    lines = (
        base64_line(f"s{i // 2}", one, model, name=f"Person {i // 2}") for i, one in enumerate(unit_vectors(count))
    )
    file.write_bytes(b"\n".join(lines))
    return file


def counts_of(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()[-3:]]


def test_a_file_is_imported_and_a_second_run_finds_everything_known(service: RunningService, tmp_path: Path) -> None:
    file = write_faces(tmp_path / "faces.ndjson", model_of(service.url))
    first = run_import(file, service.url, "--collection", "imported")
    assert counts_of(first) == [["enrolled", str(FACES)], ["known", "0"], ["refused", "0"]]
    assert "100%" in first  # the progress bar
    second = run_import(file, service.url, "--collection", "imported")
    assert counts_of(second) == [["enrolled", "0"], ["known", str(FACES)], ["refused", "0"]]
    collection = httpx.get(f"{service.url}/collections/imported").json()
    assert (collection["faces"], collection["subjects"]) == (FACES, FACES // 2)
    assert httpx.get(f"{service.url}/collections/imported/subjects/s7").json()["name"] == "Person 7"


def test_a_compressed_file_and_every_bad_line_by_its_number(service: RunningService, tmp_path: Path) -> None:
    model = model_of(service.url)
    a, b = unit_vectors(2, seed=1)
    lines = [face_line("a", a, model), b"", b"{", b"x" * 300_000, face_line("b", a, model), face_line("b", b, "f" * 64)]
    file, report = tmp_path / "faces.ndjson.gz", tmp_path / "report.jsonl"
    text = codecs.BOM_UTF8 + b"\n".join([*lines, base64_line("c", b, model)])  # some editors write this mark
    file.write_bytes(gzip.compress(text))
    output = run_import(file, service.url, "--collection", "bad", "--report", str(report), code=1)
    assert counts_of(output)[:2] == [["enrolled", "2"], ["known", "0"]]
    items = [json.loads(line) for line in report.read_text().splitlines()]
    assert sorted((int(item["file"].rpartition(":")[2]), item["code"]) for item in items) == [
        (3, "invalid_line"),
        (4, "invalid_line"),
        (5, "known_elsewhere"),
        (6, "model_mismatch"),
    ]
    assert f"refused: {file}:5: " in output
    assert [item["face"] is not None for item in items if item["code"] == "known_elsewhere"] == [True]


def test_a_file_of_another_kind_is_refused_in_one_line(service: RunningService, tmp_path: Path) -> None:
    (tmp_path / "who.csv").write_text("file,decision\n" + "ada.jpg,match\n" * 30)
    output = run_import(tmp_path / "who.csv", service.url, "--collection", "none", code=1)
    assert output.startswith(f"facenet: {tmp_path / 'who.csv'} is no file of embeddings: its first lines are not JSON")
    assert len(output.splitlines()) == 1
    assert httpx.get(f"{service.url}/collections/none").status_code == 404


def test_a_run_continues_after_a_kill(models_dir: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with run_service(data_dir, models_dir) as service:
        file = write_faces(tmp_path / "faces.ndjson", model_of(service.url), 4 * FACES)
        command = facenet_command("import", str(file), "--url", service.url)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        service.wait_until(lambda: stored_faces(service.url) > 0)
        service.kill()
        _, error_output = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "No service answers" in error_output
    with run_service(data_dir, models_dir) as service:
        stored = stored_faces(service.url)
        assert stored > 0
        output = run_import(file, service.url)
        assert counts_of(output) == [["enrolled", str(4 * FACES - stored)], ["known", str(stored)], ["refused", "0"]]
        assert httpx.get(f"{service.url}/readyz").status_code == 200


def stored_faces(url: str) -> int:
    return int(httpx.get(f"{url}/collections/default").json()["faces"])


def test_requests_that_are_too_large_for_the_service_are_split(models_dir: Path, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", models_dir, FACE_LIMITS__BODY_BYTES="200000") as service:
        file = write_faces(tmp_path / "faces.ndjson", model_of(service.url), 1_000)
        output = run_import(file, service.url)
    assert counts_of(output) == [["enrolled", "1000"], ["known", "0"], ["refused", "0"]]


def test_a_file_that_is_cut_off_and_a_report_that_cannot_be_written(service: RunningService, tmp_path: Path) -> None:
    file = write_faces(tmp_path / "faces.ndjson", model_of(service.url), 100)
    compressed = tmp_path / "cut.gz"
    compressed.write_bytes(gzip.compress(file.read_bytes())[:-500])
    assert "cannot be read to its end" in run_import(compressed, service.url, "--collection", "cut", code=1)
    report = ("--report", str(tmp_path / "missing" / "report"))
    assert "cannot be written" in run_import(file, service.url, "--collection", "unwritten", *report, code=2)
    assert httpx.get(f"{service.url}/collections/unwritten").status_code == 404


def test_an_unreachable_service_and_a_missing_file_are_reported(tmp_path: Path) -> None:
    file = write_faces(tmp_path / "faces.ndjson", "a" * 64, 1)
    assert "No service answers at http://127.0.0.1:9." in run_import(file, "http://127.0.0.1:9", code=1)
    assert "does not exist" in run_import(tmp_path / "nothing", "http://127.0.0.1:9", code=2)
