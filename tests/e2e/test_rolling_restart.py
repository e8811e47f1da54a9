"""Two replicas on one database are replaced one after the other while clients work: no request is lost."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from service.access.secret_file import write_admin_key
from tests.support.postgres_server import PostgresServer
from tests.support.replicas import DRAIN_DELAY_S, Clients, Replica, run_proxy, wait_until_ready

pytestmark = pytest.mark.slow

ANSWERS_BETWEEN = 60
"""Requests that are answered before and after each restart."""


@pytest.fixture
def settings(postgres: PostgresServer, tmp_path: Path) -> dict[str, str]:
    """Return the settings that all replicas share, with the secrets that the guides make (docs/replicas.md)."""
    for name in ("key_secret", "audit_secret"):
        (tmp_path / name).write_text(f"{secrets.token_hex(32)}\n", "ascii")
    write_admin_key(tmp_path / "admin_key")
    return {
        "FACE_GALLERY__URL": postgres.create_database(),
        "FACE_GALLERY__INDEX": "faiss",
        "FACE_KEY_SECRET_FILE": str(tmp_path / "key_secret"),
        "FACE_AUDIT__SECRET_FILE": str(tmp_path / "audit_secret"),
        "FACE_ADMIN_KEY_FILE": str(tmp_path / "admin_key"),
        "FACE_DRAIN_DELAY_S": str(DRAIN_DELAY_S),
        "FACE_INFERENCE__THREADS": "1",
        "FACE_INFERENCE__WORKERS": "1",
        "FACE_INFERENCE__PRECISION": "float32",
    }


@pytest.fixture
def replicas(settings: dict[str, str], models_dir: Path, tmp_path: Path) -> Iterator[list[Replica]]:
    """Start two replicas at the same time, on an empty database."""
    both = [Replica(tmp_path / name, models_dir, **settings) for name in ("one", "two")]
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(Replica.start, both))
        yield both
    finally:
        for replica in both:
            replica.end()


def test_no_request_is_lost_while_the_replicas_are_replaced(
    replicas: list[Replica], settings: dict[str, str], obama: bytes
) -> None:
    key = Path(settings["FACE_ADMIN_KEY_FILE"]).read_text("ascii").strip()
    with run_proxy(replicas) as url, closing(httpx.Client(base_url=url, headers={"x-api-key": key})) as client:
        clients = Clients(url, key, client.get("/model").json()["id"], obama)
        with clients.working():
            for replica in replicas:
                clients.wait_for_answers(ANSWERS_BETWEEN)
                assert replica.restart() == 0
                wait_until_ready([replica])
                clients.wait_for_answers(ANSWERS_BETWEEN)
        assert clients.lost == []
        assert clients.not_found == [], "a face that was acknowledged is found by the next search of every replica"
        listed = client.get("/collections/default").json()
        assert listed["faces"] == len(clients.enrolled)
    assert all(replica.served > ANSWERS_BETWEEN for replica in replicas), "both of them worked"
