"""The guides about models: each command prints what its page says."""

import re
import shlex
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.commands import run_facenet
from tests.support.documents import code_blocks
from tests.support.page_commands import LOCAL, Command, console_commands, pattern_of, project_folder, run_commands
from tests.support.published_sface import few_people, publish_sface
from tests.support.running_service import RunningService, run_service

pytestmark = pytest.mark.slow

OWN_MODELS, ANOTHER_MODEL = ROOT / "docs" / "own-models.md", ROOT / "docs" / "another-model.md"
ADOPTION_S = 500
"""450 photographs are embedded, on a machine that others use too."""

SHORT_ID = "6ea4..."
"""The id of `facenet` on the page."""


@pytest.mark.lfw
def test_the_adoption_prints_what_the_page_says_and_its_model_serves(
    models_dir: Path, lfw: Path, tmp_path: Path, photographs: Path
) -> None:
    """The network is that of sface, in the form that the page describes. All other commands are targets of make."""
    folder = project_folder(tmp_path)
    publish_sface(models_dir, folder / "mobilefacenet.onnx", mean=127.5, std=128)
    few_people(lfw, folder / "FOLDER")
    (command,) = console_commands(OWN_MODELS)
    (printed,) = run_commands([command], LOCAL, folder, ADOPTION_S)
    assert re.fullmatch(pattern_of(command.prints), printed), printed
    with run_service(tmp_path / "data", folder / "var" / "models", FACE_MODELS__EMBEDDER="theirs") as service:
        a, b = (str(photographs / "obama" / name) for name in ("obama.jpg", "obama2.jpg"))
        assert run_facenet("verify", a, b, "--url", service.url).startswith("The same person")


def test_a_collection_gets_another_model_as_the_page_says(models_dir: Path, photographs: Path, tmp_path: Path) -> None:
    folder = project_folder(tmp_path)
    with run_service(tmp_path / "data", models_dir, **_settings_of_the_page()) as service:
        run_facenet("enrol", str(photographs), "--collection", "friends", "--url", service.url)
        begin, *others = console_commands(ANOTHER_MODEL)
        _run([begin], service, folder)
        service.wait_until(lambda: bool(_state(service)["complete"]))
        model = str(_state(service)["model"])
        assert model.startswith(SHORT_ID.removesuffix("..."))
        assert [shlex.split(command.line)[1:4] for command in others[1:]] == [
            ["-s", "-X", "PUT"],
            ["-s", "-X", "DELETE"],
        ]
        _run([Command(command.line.replace(SHORT_ID, model), command.prints) for command in others], service, folder)
        with (photographs / "obama" / "obama2.jpg").open("rb") as image:
            answer = httpx.post(f"{service.url}/identify?collection=friends", files={"image": image}, timeout=60).json()
        assert answer["model"]["id"] == model
        assert answer["faces"][0]["subject"] == "obama"


def _run(commands: list[Command], service: RunningService, folder: Path) -> None:
    for command, text in zip(commands, run_commands(commands, service.url, folder), strict=True):
        assert re.fullmatch(pattern_of(command.prints), text), f"{command.line}\n{text}"


def _settings_of_the_page() -> dict[str, str]:
    """Return the settings with which the page starts the service."""
    (block,) = code_blocks(ANOTHER_MODEL, "bash")
    *settings, program, command = block.code.split()
    assert (program, command) == ("facenet", "serve")
    return dict(setting.split("=") for setting in settings)


def _state(service: RunningService) -> dict[str, object]:
    return dict(httpx.get(f"{service.url}/collections/friends/reembedding").raise_for_status().json())
