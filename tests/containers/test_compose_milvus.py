"""docker/compose.milvus.yml in a container engine: the replicas find with Milvus what one of them has enrolled."""

import secrets
from pathlib import Path

import httpx

from tests.containers.test_compose_scale import running_project
from tests.deployment.test_compose_milvus import MILVUS
from tests.support.replicas import Clients

ANSWERS = 200


def test_every_enrolled_face_is_found_by_the_next_search(keys: Path, obama: bytes) -> None:
    password = secrets.token_hex(32)
    user = f'common:\n  security:\n    defaultRootPassword: "{password}"\n'
    for name, text in (("milvus_user.yaml", user), ("milvus_token", f"root:{password}\n")):
        (keys / name).write_text(text, "ascii")
        (keys / name).chmod(0o444)
    with running_project(keys, MILVUS) as project:
        url = f"http://{project.compose('port', 'proxy', '8000').strip()}"
        key = (keys / "admin_key").read_text("ascii").strip()
        model = httpx.get(f"{url}/model", headers={"x-api-key": key}).json()["id"]
        clients = Clients(url, key, model, obama)
        with clients.working():
            clients.wait_for_answers(ANSWERS)
    assert clients.lost == []
    assert clients.not_found == []
