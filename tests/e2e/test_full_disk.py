"""A full disk: only stored faces are acknowledged, and stored faces are still found."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.running_service import run_service

pytestmark = pytest.mark.slow

FACES_PER_REQUEST = 16
MAX_FILE_BLOCKS = 1200
"""The limit for each file of the service, in blocks of 512 bytes. The empty gallery takes a third of it."""


def test_a_full_disk_is_503_and_no_acknowledged_face_is_lost(models_dir: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    limit_file_size = ("sh", "-c", f'ulimit -f {MAX_FILE_BLOCKS} && exec "$0" "$@"')
    acknowledged: list[list[float]] = []
    with (
        run_service(tmp_path / "data", models_dir, *limit_file_size) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        model = client.get("/model").json()["id"]
        client.put("/collections/default/subjects/ada", json={}).raise_for_status()
        while True:
            vectors = rng.normal(size=(FACES_PER_REQUEST, 128))
            embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
            body = {"images": [{"embedding": vector, "model": model} for vector in embeddings]}
            answer = client.post("/collections/default/subjects/ada/faces", json=body)
            if answer.status_code != 201:
                break
            acknowledged += embeddings
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert answer.headers["retry-after"]
        check_acknowledged_faces(client, model, acknowledged)
    with run_service(tmp_path / "data", models_dir) as service, httpx.Client(base_url=service.url) as client:
        check_acknowledged_faces(client, model, acknowledged)
        assert client.post("/collections/default/subjects/ada/faces", json=body).status_code == 201


def check_acknowledged_faces(client: httpx.Client, model: str, acknowledged: list[list[float]]) -> None:
    assert acknowledged
    assert client.get("/collections/default").json()["faces"] == len(acknowledged)
    body = {"image": {"embedding": acknowledged[-1], "model": model}}
    answer = client.post("/identify?threshold=0.01", json=body).json()
    assert answer["faces"][0]["subject"] == "ada"
