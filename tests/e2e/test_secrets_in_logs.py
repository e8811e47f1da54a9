"""No secret leaves the service: not in its log, not in its metrics, not in an error answer.

The service runs at the level debug. It gets every kind of request, refusal and fault that can be made from outside. It
is killed and started again between them.
"""

import base64
import hashlib
import json
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.access import NEEDS
from tests.support.hostile_images import REFUSED
from tests.support.raw_requests import form_of, head_of, open_connection, send_and_receive
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

OPERATOR = "unmistakable-key-of-the-operator-9c1f"
WRONG_KEY = "facenet_0123456789ab_unmistakable-wrong-key-000000000000000000000"
SUBJECT = "unmistakable-subject-7d2e"
OTHER_SUBJECT = "unmistakable-other-subject-41aa"
NAME = "Unmistakable Rumpelstiltskin"
METADATA = "unmistakable-metadata-c0de"
COLLECTION = "unmistakable-collection-55b1"
FILE_NAME = "unmistakable-file-name-8e.jpg"
IDS = {"collection": COLLECTION, "subject": SUBJECT, "face": "0" * 32, "key_id": "0" * 12}
TRACEBACK = re.compile(r'Traceback|File \\?"|\.py\b')
MAX_HEAD_BYTES = 256 * 1024
SETTINGS = {"FACE_LOG__LEVEL": "debug", "FACE_LIMITS__UPLOAD_IDLE_S": "1", "FACE_LIMITS__BODY_BYTES": "5000000"}


@dataclass
class Outputs:
    """What came out of the service, and what may not be in it."""

    secrets: set[str]
    texts: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)

    def keep_error(self, answer: httpx.Response) -> None:
        """Keep the text of an error answer, with its headers."""
        if answer.is_error:
            answer.read()
            self.texts.append(f"{answer.headers}\n{answer.text}")
            self.codes.add(answer.json()["code"])

    def keep_raw(self, answer: bytes) -> None:
        self.texts.append(answer.decode("utf-8", "replace"))
        self.codes |= set(re.findall(r'"code": ?"(\w+)"', self.texts[-1]))

    def found(self) -> set[str]:
        """Return the secrets that came out."""
        text = "\n".join(self.texts)
        return {secret for secret in self.secrets if secret in text} | set(TRACEBACK.findall(text))


def parts_of(photograph: bytes) -> set[str]:
    """Return texts that show that a photograph came out: its hash, and pieces in the usual codings."""
    piece = photograph[len(photograph) // 2 :][:30]
    return {
        hashlib.sha256(photograph).hexdigest(),
        base64.b64encode(photograph).decode()[1000:1030],
        base64.b64encode(piece).decode(),
        piece.hex(),
        repr(piece),
    }


@contextmanager
def served(outputs: Outputs, folder: Path, models_dir: Path, **settings: str) -> Iterator[RunningService]:
    """Run the service with the key of the operator, and keep its log."""
    (folder / "operator").write_text(OPERATOR)
    own = SETTINGS | {"FACE_ADMIN_KEY_FILE": str(folder / "operator")} | settings
    with run_service(folder / "data", models_dir, **own) as service:
        yield service
    outputs.texts.extend(service.log_lines)


def client_of(service: RunningService, outputs: Outputs) -> httpx.Client:
    hooks: Any = {"response": [outputs.keep_error]}
    return httpx.Client(base_url=service.url, headers={"x-api-key": OPERATOR}, timeout=60, event_hooks=hooks)


def enrol(client: httpx.Client, outputs: Outputs, photograph: bytes) -> None:
    """Store a subject with a face, make keys, and note the new secrets."""
    subjects = f"/collections/{COLLECTION}/subjects"
    assert client.put(f"/collections/{COLLECTION}").status_code == 201
    for subject in (SUBJECT, OTHER_SUBJECT):
        body = {"name": NAME, "metadata": {"note": METADATA}}
        assert client.put(f"{subjects}/{subject}", json=body).status_code == 201
    files = [("images", (FILE_NAME, photograph, "image/jpeg"))]
    assert client.post(f"{subjects}/{SUBJECT}/faces", files=files).status_code == 201
    client.post(f"{subjects}/{OTHER_SUBJECT}/faces", files=files)
    answer = client.post("/embed?include=embedding", files=files).json()
    outputs.secrets |= {json.dumps(number) for number in answer["images"][0]["faces"][0]["embedding"]}
    client.post("/embed", json={"images": [{"embedding": [0.123456789] * 128, "model": "0" * 64}]})
    outputs.secrets |= {"0.123456789"}


def make_keys(client: httpx.Client, outputs: Outputs) -> list[str]:
    """Return a key of another tenant, a revoked one, and one that may send one request a minute."""
    bodies: list[dict[str, Any]] = [
        {"scopes": ["read", "enrol", "admin"], "collections": ["other"], "label": METADATA},
        {"scopes": ["read"]},
        {"scopes": ["verify", "read"], "requests_per_minute": 1},
    ]
    keys = [client.post("/keys", json=body).raise_for_status().json()["key"] for body in bodies]
    client.delete(f"/keys/{keys[1].split('_')[1]}").raise_for_status()
    outputs.secrets |= {key.split("_", 2)[2] for key in keys}
    return keys


def call_every_route(client: httpx.Client, key: str, photograph: bytes) -> None:
    """Call every route in every way in which a key can be sent, with bodies that are wrong in several ways."""
    headers = [
        {"x-api-key": key},
        {"x-api-key": "", "Authorization": f"Bearer {key}"},
        {"Authorization": f"Basic {key}"},
    ]
    bodies: list[dict[str, Any]] = [
        {"json": {"name": NAME, "metadata": {"note": METADATA}, NAME: METADATA, "image": {"base64": METADATA}}},
        {"json": {"image": {"base64": base64.b64encode(photograph[:2000]).decode()}, "from": SUBJECT}},
        {"content": f'{{"name": "{NAME}'.encode(), "headers": {"content-type": "application/json"}},
        {"files": {"image": (FILE_NAME, photograph[:3000])}},
    ]
    for method, path in NEEDS:
        if (method, path) == ("DELETE", "/collections/{collection}"):
            continue
        for index, sent in enumerate(headers):
            body = bodies[index % len(bodies)] if method != "GET" else {}
            query = {"api_key": key, "x-api-key": key, "cursor": NAME, "collection": COLLECTION}
            own = body.get("headers", {}) | sent
            client.request(method, path.format(**IDS), **(body | {"headers": own}), params=query if index else None)


def refuse_requests(client: httpx.Client, photograph: bytes) -> None:
    """Send requests that are refused before and after the body is read."""
    big = b"{" + METADATA.encode() * 200_000
    client.get(f"/{NAME}/{SUBJECT}", params={"key": OPERATOR})
    client.get("/livez", headers={"Host": f"{SUBJECT}.example"})
    client.put(f"/collections/{COLLECTION}", headers={"Origin": f"https://{SUBJECT}.example"})
    client.request("TRACE", f"/collections/{COLLECTION}", headers={"Authorization": OPERATOR})
    client.post("/verify", content=big, headers={"content-type": "application/json"})
    client.post("/verify", content=NAME.encode(), headers={"content-type": f"text/{METADATA}"})
    client.post("/verify", content=NAME.encode(), headers={"content-type": "multipart/form-data"})
    client.post("/identify", params={"k": NAME, "threshold": METADATA}, files={"image": (FILE_NAME, photograph)})
    client.post("/identify", files={"image": (FILE_NAME, NAME.encode() * 20)})
    client.post("/verify", headers={"Authorization": f"Bearer {WRONG_KEY}"})
    client.post(f"/collections/{COLLECTION}/subjects", json={"id": OTHER_SUBJECT, "name": NAME})
    client.patch(f"/collections/{COLLECTION}/subjects/{SUBJECT}", json={"metadata": [METADATA]})
    client.post("/cluster", json={"images": [{"subject": SUBJECT, "collection": COLLECTION}] * 2, "method": NAME})
    for file in REFUSED.values():
        if len(content := file()) < 1_000_000:
            client.post("/embed", files={"images": (FILE_NAME, content)})


def send_what_is_not_http(service: RunningService, outputs: Outputs, photograph: bytes) -> None:
    """Send bytes that are no request, a head that is too large, a body that stops, and leave in the middle."""
    key = f"x-api-key: {OPERATOR}\r\n".encode()
    outputs.keep_raw(send_and_receive(service, f"GET /{NAME} {METADATA}\r\n{OPERATOR}\r\n\r\n".encode()))
    outputs.keep_raw(
        send_and_receive(service, f"GET /?key={OPERATOR} HTTP/1.1\r\nConnection: close\r\n".encode() + key + b"\r\n")
    )
    head = b"GET /model HTTP/1.1\r\nHost: localhost\r\n"
    outputs.keep_raw(send_and_receive(service, head, (f"x-{METADATA}: {NAME}\r\n".encode() * 8000)[:MAX_HEAD_BYTES]))
    form = form_of(photograph)
    stopped = head_of(len(form), x_api_key=OPERATOR, Connection="close") + form[:2000]
    outputs.keep_raw(send_and_receive(service, stopped))
    with open_connection(service) as connection:
        connection.sendall(head_of(len(form), x_api_key=OPERATOR) + form)
        connection.shutdown(socket.SHUT_RDWR)


def keep_metrics(client: httpx.Client, outputs: Outputs) -> None:
    outputs.texts.append(client.get("/metrics").raise_for_status().text)


def fill_the_disk(service: RunningService, client: httpx.Client) -> None:
    """Let every file of the service be full, and store something."""
    _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    client.put(f"/collections/{COLLECTION}/subjects/{SUBJECT}-2", json={"name": NAME})
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def test_no_secret_is_in_the_log_the_metrics_or_an_error(models_dir: Path, tmp_path: Path, photographs: Path) -> None:
    photograph = (photographs / "obama" / "obama.jpg").read_bytes()
    paths = {str(tmp_path), str(models_dir), "gallery.sqlite3", "sface.onnx"}
    words = {SUBJECT, OTHER_SUBJECT, NAME, "Rumpelstiltskin", METADATA, COLLECTION, FILE_NAME}
    keys = {OPERATOR, WRONG_KEY, WRONG_KEY.split("_", 2)[2]}
    outputs = Outputs(paths | words | keys | parts_of(photograph))
    with served(outputs, tmp_path, models_dir) as service, client_of(service, outputs) as client:
        enrol(client, outputs, photograph)
        for key in (OPERATOR, WRONG_KEY, *make_keys(client, outputs)):
            call_every_route(client, key, photograph)
        refuse_requests(client, photograph)
        send_what_is_not_http(service, outputs, photograph)
        outputs.keep_error(httpx.get(f"{service.url}/collections/{COLLECTION}", params={"key": OPERATOR}))
        keep_metrics(client, outputs)
        service.kill()
    with served(outputs, tmp_path, models_dir) as service, client_of(service, outputs) as client:
        fill_the_disk(service, client)
        (tmp_path / "data" / "gallery.sqlite3").rename(tmp_path / "gallery-moved")
        service.wait_for_log("storage_lost")
        client.get(f"/collections/{COLLECTION}/subjects/{SUBJECT}")
        client.get("/readyz")
        keep_metrics(client, outputs)
        service.stop()
    assert outputs.found() == set()
    assert outputs.codes >= EXPECTED_CODES
    assert any('"status": 201' in text for text in outputs.texts)


EXPECTED_CODES = {
    "all_collections_needed",
    "body_too_large",
    "collection_not_found",
    "face_not_found",
    "head_too_large",
    "host_not_allowed",
    "image_too_complex",
    "invalid_form",
    "invalid_host",
    "invalid_http",
    "invalid_json",
    "invalid_request",
    "key_invalid",
    "key_missing",
    "key_not_found",
    "method_not_allowed",
    "model_mismatch",
    "not_found",
    "nothing_enrolled",
    "origin_not_allowed",
    "rate_exceeded",
    "scope_missing",
    "storage_lost",
    "storage_unavailable",
    "subject_exists",
    "unreadable_image",
    "unsupported_media_type",
    "upload_too_slow",
}
"""Problems of all kinds, so the test really sees refusals. The rest needs load or a fault inside of the process."""
