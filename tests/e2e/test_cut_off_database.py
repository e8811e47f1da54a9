"""A database file that somebody cuts off under a running service: no wrong answer, and the next start says it."""

import os
import signal
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from tests.e2e.test_startup import startup_error
from tests.support.running_service import run_service

pytestmark = pytest.mark.slow

FACES = 800


def enrol(client: httpx.Client) -> dict[str, object]:
    """Enrol faces. Return a body of POST /identify."""
    vectors = np.random.default_rng(0).normal(size=(FACES, 128))
    embeddings = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
    model = client.get("/model").json()["id"]
    client.put("/collections/default/subjects/ada", json={}).raise_for_status()
    for start in range(0, FACES, 16):
        body = {"images": [{"embedding": vector, "model": model} for vector in embeddings[start : start + 16]]}
        client.post("/collections/default/subjects/ada/faces", json=body).raise_for_status()
    return {"image": {"embedding": embeddings[-1], "model": model}}


def test_a_database_that_is_cut_off_gives_no_wrong_answer(models_dir: Path, tmp_path: Path) -> None:
    """A search maps the file into memory. A process that reads what is cut off gets the signal SIGBUS."""
    data_dir = tmp_path / "data"
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        probe = enrol(client)
        assert service.stop() == 0
    with run_service(data_dir, models_dir) as service, httpx.Client(base_url=service.url) as client:
        os.truncate(data_dir / DATABASE_FILE, (data_dir / DATABASE_FILE).stat().st_size // 2)
        try:
            answer = client.post("/identify", json=probe)
        except httpx.TransportError:
            assert service.process.wait(30) == -signal.SIGBUS
        else:
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_lost")
    assert "damaged" in startup_error(data_dir, models_dir)
