"""A client that openapi-python-client generates from `/openapi.json` works with a running service.

This is what a user gets who generates a client. `.venv-sdk` has the generator: make .venv-sdk/sdk
"""

import importlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.openapi.conftest import KEY
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CONFIG = Path(__file__).with_name("openapi-python-client.yaml")
GENERATOR = "openapi-python-client"
NAME = "generated_facenet"


@pytest.fixture(scope="module")
def generated(closed_service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Generate the client, and make it importable. A warning of the generator is an error."""
    command = shutil.which(GENERATOR, path=ROOT / ".venv-sdk" / "bin") or shutil.which(GENERATOR)
    if command is None:
        pytest.skip(f"{GENERATOR} is not installed. Run: make .venv-sdk/sdk")
    folder = tmp_path_factory.mktemp("generated")
    options = ["--meta", "none", "--output-path", str(folder / NAME), "--config", str(CONFIG), "--fail-on-warning"]
    result = subprocess.run(
        [command, "generate", "--url", f"{closed_service.url}/openapi.json", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    sys.path.insert(0, str(folder))
    yield folder / NAME
    sys.path.remove(str(folder))


def part(name: str) -> Any:
    """Import a module of the generated client."""
    return importlib.import_module(f"{NAME}.{name}")


@pytest.fixture(scope="module")
def client(closed_service: RunningService, generated: Path) -> Iterator[Any]:
    assert generated.is_dir()
    with part("client").AuthenticatedClient(base_url=closed_service.url, token=KEY, timeout=60) as client:
        yield client


def photograph(data: bytes) -> Any:
    return part("types").File(payload=io.BytesIO(data), file_name="photograph.jpg")


def test_it_verifies_two_photographs(client: Any, photographs: Path) -> None:
    files = [photograph((photographs / "obama" / name).read_bytes()) for name in ("obama.jpg", "obama2.jpg")]
    form = part("models").VerifyForm(image_a=files[0], image_b=files[1])
    found = part("api.decisions.verify").sync(client=client, body=form)
    assert found.verified is True
    assert found.distance < found.threshold
    assert found.model.name == "sface"


def test_it_sends_json_too_and_reads_a_refusal(client: Any) -> None:
    models = part("models")
    body = models.VerifyBody(*[models.SubjectImage(subject=name, collection="default") for name in ("ada", "grace")])
    found = part("api.decisions.verify").sync(client=client, body=body)
    assert (type(found).__name__, found.status, found.code) == ("Problem", 404, "subject_not_found")


def test_it_enrols_identifies_and_reads_pages(client: Any, photographs: Path) -> None:
    models = part("models")
    part("api.collections.create_collection").sync(client=client, collection="friends")
    for name in ("obama", "biden", "nobody"):
        fields = models.NewSubject(id=name, name=name.title())
        created = part("api.subjects.create_subject").sync(client=client, collection="friends", body=fields)
        assert created.id == name
    for name, file in (("obama", "obama.jpg"), ("biden", "biden.jpg")):
        form = models.ImagesForm(images=[photograph((photographs / name / file).read_bytes())])
        stored = part("api.faces.enrol_faces").sync(client=client, collection="friends", subject=name, body=form)
        assert [result.status for result in stored.results] == ["enrolled"]
    form = models.IdentifyForm(image=photograph((photographs / "obama" / "obama2.jpg").read_bytes()))
    found = part("api.decisions.identify").sync(client=client, collection="friends", body=form)
    assert [(face.decision, face.subject) for face in found.faces] == [("match", "obama")]
    assert pages(client) == [["biden"], ["nobody"], ["obama"]]


def pages(client: Any) -> list[list[str]]:
    """Read all subjects, one on each page."""
    read = part("api.subjects.list_subjects").sync
    found = [read(client=client, collection="friends", limit=1)]
    while found[-1].next_cursor is not None:
        found.append(read(client=client, collection="friends", limit=1, cursor=found[-1].next_cursor))
    return [[subject.id for subject in page.items] for page in found]


def test_it_exports_the_lines_of_a_collection(client: Any) -> None:
    exported = part("api.export.export_collection").sync_detailed(client=client, collection="friends")
    assert exported.status_code == 200
    lines = [json.loads(line)["type"] for line in exported.content.splitlines()]
    assert (lines.count("subject"), lines.count("face"), lines[-1]) == (3, 2, "end")
