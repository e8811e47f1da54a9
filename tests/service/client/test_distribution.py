"""The client is a distribution that needs httpx and pydantic only."""

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

FOLDER = ROOT / "service" / "client"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text("utf-8"))["project"]
OWN_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

PROGRAM = """
import importlib.metadata, importlib.util, sys
import httpx, facenet_client

print(importlib.metadata.version("facenet-client"))
print([name for name in ("service", "numpy", "PIL", "fastapi") if importlib.util.find_spec(name)])

def answer(request):
    return httpx.Response(200, json={"images": [], "model": {"name": "sface", "id": "0", "dimension": 128}})

with facenet_client.Client(transport=httpx.MockTransport(answer)) as client:
    print(client.embed(b"bytes of a file").model.name)
"""


def test_it_needs_httpx_and_pydantic_only() -> None:
    assert {Requirement(one).name for one in PROJECT["dependencies"]} == {"httpx", "pydantic"}


def test_its_version_and_licence_are_those_of_the_service() -> None:
    assert PROJECT["version"] == OWN_PROJECT["version"]
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, without a network."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(FOLDER)], check=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def with_dependencies(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Return these distributions of this environment, and all that they need."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found[name] = metadata.distribution(name)
            needed = [Requirement(one) for one in found[name].requires or ()]
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_with_nothing_else(wheel: Path, tmp_path: Path) -> None:
    """The environment sees httpx, pydantic and what these need: links to the packages of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    packages = tmp_path / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for distribution in with_dependencies(["httpx", "pydantic"]).values():
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (packages / name).symlink_to(Path(str(distribution.locate_file(name))))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", str(wheel)], check=True, timeout=120)
    result = subprocess.run(
        [python, "-I", "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stdout.splitlines() == [PROJECT["version"], "[]", "sface"], result.stderr


@pytest.mark.slow
def test_the_wheel_has_types_and_the_licence_and_nothing_that_writes_the_schemas(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "facenet_client/py.typed" in names
    assert [name for name in names if name.endswith("/LICENSE")]
    assert {name.split("/")[0] for name in names} == {
        "facenet_client",
        f"facenet_client-{PROJECT['version']}.dist-info",
    }
