"""Nothing leaves: no telemetry, no connection to anywhere but the client; no name, vector or path in a log."""

import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.served import serve


def test_no_file_appears_outside_of_the_data_directory(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    with serve(tmp_path / "data", models_dir) as served:
        files = {"image": (photographs / "obama" / "obama.jpg").read_bytes()}
        assert httpx.post(f"{served.url}/identify", files=files).status_code == 200
        assert served.stop() == 0
    assert [one.name for one in tmp_path.iterdir()] == ["data"]


def test_no_connection_is_opened(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    with serve(tmp_path / "data", models_dir, strace, "-D", "-f", "-e", "trace=connect", "-o", str(trace)) as served:
        files = {"image": (photographs / "obama" / "obama.jpg").read_bytes()}
        assert httpx.post(f"{served.url}/identify", files=files).status_code == 200
    opened = [line for line in trace.read_text().splitlines() if re.search(r"connect\(.*AF_INET", line)]
    assert opened == []


def test_a_log_holds_no_name_no_vector_and_no_path(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    name = "Rumpelstiltskin"
    with serve(tmp_path / "data", models_dir, FACE_LOG__LEVEL="debug") as served:
        subject = f"{served.url}/collections/default/subjects/{name}"
        httpx.put(subject, json={"name": name, "metadata": {"note": name}})
        httpx.post(f"{subject}/faces", files={"images": (name, (photographs / "obama" / "obama.jpg").read_bytes())})
        httpx.get(f"{subject}/faces", params={"cursor": name})
        httpx.post(f"{served.url}/verify", json={"image_a": {"base64": name}, name: name})
        assert served.stop() == 0
    log = "".join(served.lines)
    assert '"route": "/collections/{collection}/subjects/{subject}/faces"' in log
    assert name not in log
    assert str(tmp_path) not in log
