"""A full disk: nothing is acknowledged that is not stored, and what was stored goes on being found."""

from pathlib import Path

import httpx
import numpy as np

from tests.served import serve

FACES_AT_ONCE = 16
BLOCKS = 1200
"""Of 512 bytes; no file of the service grows beyond them. The empty gallery takes a third."""


def test_a_full_disk_is_503_and_loses_nothing(models_dir: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    limited = ("sh", "-c", f'ulimit -f {BLOCKS} && exec "$0" "$@"')
    acknowledged: list[list[float]] = []
    with serve(tmp_path / "data", models_dir, *limited) as served, httpx.Client(base_url=served.url) as client:
        model = client.get("/model").json()["id"]
        client.put("/collections/default/subjects/ada", json={}).raise_for_status()
        while True:
            vectors = rng.normal(size=(FACES_AT_ONCE, 128))
            unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
            body = {"images": [{"embedding": vector, "model": model} for vector in unit]}
            answer = client.post("/collections/default/subjects/ada/faces", json=body)
            if answer.status_code != 201:
                break
            acknowledged += unit
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert answer.headers["retry-after"]
        check(client, model, acknowledged)
    with serve(tmp_path / "data", models_dir) as served, httpx.Client(base_url=served.url) as client:
        check(client, model, acknowledged)
        assert client.post("/collections/default/subjects/ada/faces", json=body).status_code == 201


def check(client: httpx.Client, model: str, acknowledged: list[list[float]]) -> None:
    assert acknowledged
    assert client.get("/collections/default").json()["faces"] == len(acknowledged)
    body = {"image": {"embedding": acknowledged[-1], "model": model}}
    found = client.post("/identify?threshold=0.01", json=body).json()
    assert found["faces"][0]["subject"] == "ada"
