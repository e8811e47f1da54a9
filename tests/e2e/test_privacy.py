"""Privacy: no files outside of the data directory, no outgoing connections, no names, vectors or paths in the log."""

import base64
import re
import shutil
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.raw_requests import head_of, send_and_receive
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

CANARY = "Rumpelstiltskin"
"""A text that nothing else contains. It is sent wherever a client can send a text."""
KEY = f"fk_{CANARY}.0123456789abcdef"
KEYS = {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "cookie": f"key={KEY}", "user-agent": CANARY}


def png_of(width: int, height: int) -> bytes:
    """Return the start of a PNG that announces this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


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


@dataclass
class Record:
    """What a run of the service has shown. refusals: the answers with a status of 400 or more."""

    photograph: bytes
    embedding: list[float]
    output: str = ""
    metrics: str = ""
    refusals: list[str] = field(default_factory=list)

    def note(self, answer: httpx.Response) -> httpx.Response:
        """Keep the answer if it is a refusal. Headers count too, but not the Host that httpx adds to its request."""
        if answer.status_code >= 400:
            self.refusals.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer


@pytest.fixture(scope="module")
def record(models_dir: Path, tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Record:
    """Run the service at its most talkative level, through use, misuse, faults, a kill and a restart."""
    folder = tmp_path_factory.mktemp("secret_folder")
    photograph = (photographs / "obama" / "obama.jpg").read_bytes()
    record = Record(photograph, [])
    for misuse in (_use, _misuse, _break_storage):
        stdout = folder / "stdout"
        to_file = ("sh", "-c", f'exec "$0" "$@" >>{stdout}')
        limits = {"FACE_LOG__LEVEL": "debug", "FACE_LIMITS__PIXELS": "2000000", "PYTHONWARNINGS": "always"}
        with (
            run_service(folder / "data", models_dir, *to_file, **limits) as service,
            httpx.Client(base_url=service.url, headers=KEYS, params={}) as client,
        ):
            misuse(service, client, record, photograph, folder)
            record.metrics += client.get("/metrics").text
            if misuse is _misuse:
                service.kill()
            else:
                service.stop()
        record.output += "".join(service.log_lines) + stdout.read_text()
    return record


def _use(service: RunningService, client: httpx.Client, record: Record, photograph: bytes, _folder: Path) -> None:
    subject = f"/collections/{CANARY}/subjects/{CANARY}"
    client.put(f"/collections/{CANARY}").raise_for_status()
    client.put(subject, json={"name": CANARY, "metadata": {CANARY: CANARY}}).raise_for_status()
    client.post(f"{subject}/faces", files={"images": (f"{CANARY}.jpg", photograph)}).raise_for_status()
    answer = client.post("/embed?include=embedding", files={"images": (CANARY, photograph)}).raise_for_status()
    record.embedding = answer.json()["images"][0]["faces"][0]["embedding"]
    client.post(f"/identify?collection={CANARY}", files={"image": photograph}).raise_for_status()
    client.post("/verify", files={"image_a": photograph, "image_b": photograph}).raise_for_status()
    client.post(f"/cluster?collection={CANARY}").raise_for_status()
    client.patch(subject, json={"name": f"{CANARY} the second"}).raise_for_status()
    for path in ("/model", "/docs", "/openapi.json", "/collections", subject, f"{subject}/faces"):
        client.get(path).raise_for_status()
    assert service.process.poll() is None


def _misuse(service: RunningService, client: httpx.Client, record: Record, photograph: bytes, _folder: Path) -> None:
    image = {"base64": base64.b64encode(photograph).decode()}
    embedding = {"embedding": record.embedding, "model": CANARY}
    foreign = {"origin": f"http://{CANARY}.example"}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/{CANARY}", {}),
        ("POST", "/model", {}),
        ("GET", "/collections", {"params": {CANARY: CANARY, "api_key": KEY}}),
        ("GET", "/collections", {"params": {"limit": CANARY}}),
        ("GET", "/collections", {"headers": {"host": f"{CANARY}.example"}}),
        ("POST", "/verify", {"headers": foreign, "json": {"image_a": image, "image_b": image}}),
        ("POST", "/verify", {"json": {"image_a": {"base64": CANARY}, CANARY: CANARY}}),
        ("POST", "/verify", {"json": {"image_a": image, "image_b": embedding}}),
        ("POST", "/verify", {"json": {"image_a": image, "image_b": {"embedding": record.embedding[:5], "model": "a"}}}),
        ("POST", "/verify", {"content": f'{{"{CANARY}'.encode(), "headers": {"content-type": "application/json"}}),
        ("POST", "/verify", {"content": CANARY.encode(), "headers": {"content-type": CANARY}}),
        ("POST", "/verify", {"files": {"image_a": photograph, CANARY: photograph}}),
        ("POST", "/embed", {"files": {"images": (CANARY, photograph[:1000])}}),
        ("POST", "/embed", {"files": {"images": (CANARY, CANARY.encode() * 100)}}),
        ("POST", "/embed", {"files": {"images": (CANARY, png_of(3000, 3000))}}),
        ("POST", "/identify", {"files": {"image": photograph}, "params": {"collection": f"{CANARY}-2"}}),
        ("PUT", f"/collections/default/subjects/{CANARY}", {"json": {"name": [CANARY], "metadata": CANARY}}),
        ("POST", f"/collections/{CANARY}/subjects", {"json": {"id": CANARY}}),
        ("PATCH", f"/collections/{CANARY}/faces/{CANARY}", {"json": {"subject": CANARY}}),
        ("DELETE", f"/collections/{CANARY}-3", {}),
        ("POST", "/cluster", {"json": {"embeddings": [record.embedding] * 3, "model": CANARY}}),
    ]
    for method, path, options in requests:
        assert record.note(client.request(method, path, **options)).status_code >= 400, (method, path)
    for data in (
        f"GET /{CANARY} HTTP/9.9\r\n{CANARY}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {CANARY}/\r\nConnection: close\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {CANARY * 30_000}\r\n\r\n",
    ):
        record.refusals.append(send_and_receive(service, data.encode()).decode("latin-1"))
    send_and_receive(service, head_of(len(photograph)), photograph[:500])  # the client leaves in the middle


def _break_storage(
    _service: RunningService, client: httpx.Client, record: Record, _photograph: bytes, folder: Path
) -> None:
    """Take the database away while the service runs. What it then answers and logs is checked too."""
    (folder / "data").rename(folder / "elsewhere")
    answer = client.patch(f"/collections/{CANARY}/subjects/{CANARY}", json={"name": CANARY})
    assert record.note(answer).status_code == 503
    record.note(client.get("/readyz"))


def test_nothing_private_is_in_any_line_of_the_output(record: Record, models_dir: Path) -> None:
    routes = ("/collections/{collection}/subjects/{subject}/faces", "/verify", "/embed", "(none)")
    assert all(f'"route": "{route}"' in record.output for route in routes)
    assert found_in(record.output, record, models_dir) == []


def test_nothing_private_is_in_the_metrics(record: Record, models_dir: Path) -> None:
    assert "face_refusals_total" in record.metrics
    assert found_in(record.metrics, record, models_dir) == []


def test_nothing_private_is_in_a_refusal(record: Record, models_dir: Path) -> None:
    assert len(record.refusals) > 20
    for refusal in record.refusals:
        assert found_in(refusal, record, models_dir) == [], refusal[:500]


def found_in(text: str, record: Record, models_dir: Path) -> list[str]:
    """Return which of the private things the text contains."""
    private = [
        CANARY.lower(),
        KEY.lower(),
        "secret_folder",
        str(models_dir).lower(),
        str(ROOT).lower(),
        "site-packages",
        "traceback",
        base64.b64encode(record.photograph[3000:3030]).decode().lower(),
        repr(record.photograph[3000:3020]).lower(),
        *(f"{abs(value):.7f}" for value in record.embedding),
    ]
    return [thing for thing in private if thing in text.lower()] + re.findall(r"\S+\.py\b", text)
