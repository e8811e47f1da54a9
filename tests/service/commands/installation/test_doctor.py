"""`facenet doctor`: each fault is found, with what to do, and nothing is changed."""

import shutil
from pathlib import Path

import pytest

from service.commands.installation.finding import Findings
from service.commands.installation.machine_checks import check_processor
from service.gallery.opening import open_gallery
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, LOCK_FILE, lock_data_directory
from tests.service.commands.installation.conftest import FREE_PORT
from tests.support.doctor import fault, line_of, run_doctor
from tests.support.postgres_server import PostgresServer
from tests.support.running_service import run_service

PASSWORD = "hunter2"  # noqa: S105  # made up


def test_an_installation_in_order_has_no_fault_and_is_not_changed(data_dir: Path) -> None:
    answer = run_doctor()
    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[-1] == "Everything is in order."
    for text in ("Python 3.", "onnxruntime", "sface", "yunet", "onet", "none runs at http://127.0.0.1:9"):
        assert text in answer.output
    assert not data_dir.exists()


def test_a_gallery_that_no_service_uses_is_counted_and_its_files_stay_the_same(data_dir: Path) -> None:
    with open_gallery(data_dir, "flat"):
        pass
    before = {file.name: file.read_bytes() for file in data_dir.iterdir()}
    answer = run_doctor()
    assert answer.exit_code == 0, answer.output
    assert "0 faces of 0 subjects in 1 collections, not encrypted." in answer.output
    assert {file.name: file.read_bytes() for file in data_dir.iterdir()} == before


def test_an_invalid_setting_is_named_and_its_value_is_not(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_LIMITS__PIXELS", PASSWORD)
    answer = run_doctor()
    assert answer.exit_code == 1
    assert "FACE_LIMITS__PIXELS must be a whole number" in fault(answer.output, "settings")
    assert PASSWORD not in answer.output
    assert not data_dir.exists()


def test_a_model_that_is_missing_or_damaged_is_named_with_the_command_that_makes_it(
    data_dir: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = data_dir.parent / "models"
    shutil.copytree(models_dir, own, ignore=shutil.ignore_patterns("facenet*", "compact*", "sface-int8*", "onet*"))
    (own / "yunet.onnx").write_bytes((own / "yunet.onnx").read_bytes()[:-1] + b"x")
    monkeypatch.setenv("FACE_MODELS__DIR", str(own))
    answer = run_doctor()
    assert answer.exit_code == 1
    assert "facenet-models pull yunet --force" in fault(answer.output, "detector")
    assert "facenet-models pull onet" in fault(answer.output, "landmarks")
    assert "note   embedder in int8: " in answer.output
    assert "facenet-models pull sface-int8" in answer.output


def test_the_second_model_is_checked_too(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_MODELS__NEXT_EMBEDDER", "compact")
    answer = run_doctor()
    assert "ok     next embedder: compact, " in answer.output
    assert answer.exit_code == 0, answer.output
    monkeypatch.setenv("FACE_MODELS__NEXT_EMBEDDER", "nobody")
    assert "There is no model nobody." in fault(run_doctor().output, "next embedder")
    monkeypatch.setenv("FACE_MODELS__NEXT_EMBEDDER", "sface")
    assert "are the same model" in fault(run_doctor().output, "next embedder")
    assert not data_dir.exists()


def test_in_another_folder_than_that_of_the_service_it_asks_for_the_folder(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACE_MODELS__DIR")
    monkeypatch.chdir(data_dir.parent)
    output = run_doctor().output
    for about in ("embedder", "detector", "landmarks"):
        found = fault(output, about)
        assert f"If {data_dir.parent} is not the folder of the service, run facenet doctor in that folder." in found
        assert "FACE_MODELS__DIR says where the models are." in found
    monkeypatch.setenv("FACE_MODELS__DIR", str(data_dir.parent))
    assert "the folder of the service" not in run_doctor().output


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://127.0.0.1:8123", "Run: FACE_PORT=8123 facenet doctor"),
        ("http://localhost", "Run: FACE_PORT=80 facenet doctor"),
        (f"https://me:{PASSWORD}@faces.example.com/faces", "Run doctor on the machine of that service"),
    ],
)
def test_another_address_in_facenet_url_is_named_if_no_service_answers(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, url: str, advice: str
) -> None:
    monkeypatch.setenv("FACENET_URL", url)
    answer = run_doctor()
    found = line_of(answer.output, "note", "service")
    assert f"doctor reads FACE_HOST and FACE_PORT, which say http://127.0.0.1:{FREE_PORT}. {advice}" in found
    assert PASSWORD not in answer.output
    assert not data_dir.exists()


@pytest.mark.parametrize("url", ["", "nothing", f"http://localhost:{FREE_PORT}/"])
def test_the_same_address_in_facenet_url_is_not_named(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FACENET_URL", url)
    assert line_of(run_doctor().output, "ok", "service").endswith(f"none runs at http://127.0.0.1:{FREE_PORT}")
    assert not data_dir.exists()


@pytest.mark.slow
def test_a_database_server_is_looked_at_beside_the_running_service(
    data_dir: Path, models_dir: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create_database()
    monkeypatch.setenv("FACE_GALLERY__URL", url)
    with run_service(data_dir, models_dir, FACE_GALLERY__URL=url) as service:
        monkeypatch.setenv("FACE_PORT", service.url.rpartition(":")[2])
        answer = run_doctor()
    assert "is ready" in line_of(answer.output, "ok", "service")
    assert "The tables are of this version." in line_of(answer.output, "ok", "gallery")


def test_a_model_of_ones_own_has_no_sha256_in_the_catalogue(
    data_dir: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = data_dir.parent / "models"
    shutil.copytree(models_dir, own, ignore=shutil.ignore_patterns("facenet*", "sface*"))
    (own / "compact.onnx").rename(own / "mine.onnx")
    monkeypatch.setenv("FACE_MODELS__DIR", str(own))
    monkeypatch.setenv("FACE_MODELS__EMBEDDER", "mine")
    answer = run_doctor()
    assert f"ok     embedder: compact, {own / 'mine.onnx'}: its sha256 is not in the catalogue" in answer.output


def test_a_milvus_that_does_not_answer_or_whose_token_is_missing_is_a_fault(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_GALLERY__INDEX", "milvus")
    monkeypatch.setenv("FACE_GALLERY__MILVUS_URI", f"http://me:{PASSWORD}@127.0.0.1:{FREE_PORT}")
    answer = run_doctor()
    assert "FACE_GALLERY__MILVUS_URI" in fault(answer.output, "milvus")
    assert PASSWORD not in answer.output
    monkeypatch.setenv("FACE_GALLERY__MILVUS_TOKEN_FILE", str(data_dir.parent / "none.token"))
    assert "none.token" in fault(run_doctor().output, "milvus")
    assert not data_dir.exists()


def test_a_provider_that_is_not_installed_is_a_fault(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_INFERENCE__PROVIDER", "cuda")
    answer = run_doctor()
    assert "FACE_INFERENCE__PROVIDER=cpu" in fault(answer.output, "provider")
    assert answer.exit_code == 1
    assert not data_dir.exists()


def test_the_access_key_of_the_environment_is_not_needed_and_not_sent(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACENET_KEY_FILE", str(data_dir.parent / "missing.key"))
    answer = run_doctor()
    assert answer.exit_code == 0, answer.output


def test_a_data_directory_in_use_without_an_answering_service_is_a_fault(data_dir: Path) -> None:
    with lock_data_directory(data_dir):
        answer = run_doctor()
    assert "another process uses" in fault(answer.output, "gallery")
    assert answer.exit_code == 1
    assert run_doctor().exit_code == 0
    assert [file.name for file in data_dir.iterdir()] == [LOCK_FILE]


def test_a_gallery_that_lost_its_database_or_is_damaged_is_a_fault(data_dir: Path) -> None:
    with open_gallery(data_dir, "flat"):
        pass
    database = data_dir / DATABASE_FILE
    content = database.read_bytes()
    middle = len(content) // 2
    database.write_bytes(content[:middle] + b"x" * 4096 + content[middle + 4096 :])
    assert str(database) in fault(run_doctor().output, "gallery")
    database.write_bytes(b"x" * len(content))
    assert str(database) in fault(run_doctor().output, "gallery")
    database.unlink()
    assert "Or restore a backup" in fault(run_doctor().output, "gallery")


def test_a_gallery_without_the_journal_that_it_needs_is_a_fault(data_dir: Path) -> None:
    with open_gallery(data_dir, "flat"):
        copy = data_dir.parent / "copy"
        shutil.copytree(data_dir, copy)
    for file in copy.glob("*-wal"):
        file.unlink()
    for name in (DATABASE_FILE, "mark"):
        shutil.copy(copy / name, data_dir / name)
    assert "its journal" in fault(run_doctor().output, "gallery")


def test_a_data_directory_that_others_can_read_is_noted(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o755)
    data_dir.chmod(0o755)
    answer = run_doctor()
    assert f"chmod 700 {data_dir}" in answer.output
    assert answer.exit_code == 0


def test_the_password_of_a_database_is_not_printed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_GALLERY__URL", f"postgresql://me:{PASSWORD}@127.0.0.1:{FREE_PORT}/faces")
    answer = run_doctor()
    assert "Check FACE_GALLERY__URL" in fault(answer.output, "gallery")
    assert PASSWORD not in answer.output
    assert not data_dir.exists()


def test_a_key_file_that_cannot_be_read_is_a_fault(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_ADMIN_KEY_FILE", str(data_dir.parent / "missing.key"))
    monkeypatch.setenv("FACE_GALLERY__ENCRYPTION_KEY_FILE", str(data_dir.parent / "none.key"))
    answer = run_doctor()
    assert "missing.key" in fault(answer.output, "access key")
    assert "none.key" in fault(answer.output, "gallery")


def test_a_service_for_other_machines_without_a_key_is_noted(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_HOST", "0.0.0.0")  # noqa: S104  # nothing listens
    answer = run_doctor()
    assert "facenet keys generate FILE" in answer.output
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: A CPU\nflags\t\t: fpu avx2 avx512_vnni\n", "A CPU, "),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", "asimd, asimddp"),
        ("", "features unknown"),
    ],
)
def test_the_features_of_the_processor_are_listed(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    findings = Findings()
    check_processor(findings, tmp_path / "cpuinfo")
    assert expected in str(findings[0])
    assert ("avx2, avx512_vnni" in str(findings[0])) == ("avx2" in text)
