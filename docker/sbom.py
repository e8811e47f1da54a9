"""Prints what is in an image as CycloneDX: the Python packages of its lock with their hashes, and its models.

python docker/sbom.py locks/serve-cpu.txt sface yunet onet
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker

ROOT = Path(__file__).parent.parent
PINNED = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<where>[^\\]+))? \\\n(?P<hashes>(?: +--hash=sha256:\w+.*\n)+)",
    re.MULTILINE,
)
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


def bom(lock: Path, others: Sequence[str]) -> Bom:
    """others: packages outside of the lock as NAME==VERSION, and models of the zoo."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = Bom(components=[*packages(lock.read_text("utf-8")), *map(other, others)])
    image = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.CONTAINER,
        licenses=[LicenseExpression(project["license"])],
    )
    found.metadata.component = image
    found.register_dependency(image, found.components)
    return found


def packages(lock: str) -> Iterator[Component]:
    """Those of a lock that Linux gets. The hashes are of the files that may be installed, one for each platform."""
    for one in PINNED.finditer(lock):
        if one["where"] and not Marker(one["where"]).evaluate(LINUX):
            continue
        yield package(one["name"], one["version"], re.findall(r"sha256:(\w+)", one["hashes"]))


def other(text: str) -> Component:
    """A package as NAME==VERSION, or a model."""
    name, pinned, version = text.partition("==")
    return package(name, version, []) if pinned else model(name)


def package(name: str, version: str, sums: Sequence[str]) -> Component:
    """sums: sha256."""
    url = PackageURL("pypi", name=name.lower(), version=version)
    hashes = [sha256(one) for one in sums]
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url), hashes=hashes)


def model(name: str) -> Component:
    """A model's file, and where its weights come from."""
    entry = tomllib.loads((ROOT / "models" / "zoo.toml").read_text("utf-8"))["models"][name]
    return Component(
        name=name,
        bom_ref=f"model:{name}",
        version=entry["sha256"][:12],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        description=f"{entry['architecture']}; trained {entry['training']}",
        licenses=[LicenseExpression(entry["licence"])],
        hashes=[sha256(entry["sha256"])],
    )


def sha256(content: str) -> HashType:
    """As CycloneDX has it."""
    return HashType(alg=HashAlgorithm.SHA_256, content=content)


if __name__ == "__main__":
    print(JsonV1Dot6(bom(Path(sys.argv[1]), sys.argv[2:])).output_as_string(indent=2))
