"""Privacy: no files outside of the data directory, no outgoing connections, no names, vectors or paths in the log."""

import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.support.running_service import run_service

pytestmark = pytest.mark.slow


def test_no_file_is_written_outside_of_the_data_directory(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    with run_service(tmp_path / "data", models_dir) as service:
        files = {"image": (photographs / "obama" / "obama.jpg").read_bytes()}
        assert httpx.post(f"{service.url}/identify", files=files).status_code == 200
        assert service.stop() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_no_outgoing_connection_is_opened(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    with run_service(
        tmp_path / "data", models_dir, strace, "-D", "-f", "-e", "trace=connect", "-o", str(trace)
    ) as service:
        files = {"image": (photographs / "obama" / "obama.jpg").read_bytes()}
        assert httpx.post(f"{service.url}/identify", files=files).status_code == 200
    connections = [line for line in trace.read_text().splitlines() if re.search(r"connect\(.*AF_INET", line)]
    assert connections == []


def test_the_log_contains_no_name_no_vector_and_no_path(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    name = "Rumpelstiltskin"
    with run_service(tmp_path / "data", models_dir, FACE_LOG__LEVEL="debug") as service:
        subject = f"{service.url}/collections/default/subjects/{name}"
        httpx.put(subject, json={"name": name, "metadata": {"note": name}})
        httpx.post(f"{subject}/faces", files={"images": (name, (photographs / "obama" / "obama.jpg").read_bytes())})
        httpx.get(f"{subject}/faces", params={"cursor": name})
        httpx.post(f"{service.url}/verify", json={"image_a": {"base64": name}, name: name})
        assert service.stop() == 0
    log = "".join(service.log_lines)
    assert '"route": "/collections/{collection}/subjects/{subject}/faces"' in log
    assert name not in log
    assert str(tmp_path) not in log
