"""Print what is in an image, as CycloneDX: its models, and the Python packages of its lock file with their hashes.

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
CATALOGUE = ROOT / "service" / "model_files" / "catalogue.toml"
LICENCES = tomllib.loads((ROOT / "docker" / "licences.toml").read_text("utf-8"))["packages"]
LOCKED_PACKAGE = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))? \\\n(?P<hashes>(?: +--hash=sha256:\w+.*\n)+)",
    re.MULTILINE,
)
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


def make_bom(lock: Path, others: Sequence[str]) -> Bom:
    """Return the bill of materials of an image.

    lock: the lock file of its Python packages.
    others: packages that are not in the lock file, as NAME==VERSION, and the names of models in the catalogue.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bom = Bom(components=[*locked_packages(lock.read_text("utf-8")), *map(package_or_model, others)])
    image = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.CONTAINER,
        licenses=[LicenseExpression(project["license"])],
    )
    bom.metadata.component = image
    bom.register_dependency(image, bom.components)
    return bom


def locked_packages(lock: str) -> Iterator[Component]:
    """Yield the packages of a lock file that are installed on Linux.

    A package has the hashes of all files that may be installed: one file for each platform.
    """
    for entry in LOCKED_PACKAGE.finditer(lock):
        if entry["marker"] and not Marker(entry["marker"]).evaluate(LINUX):
            continue
        yield package(entry["name"], entry["version"], re.findall(r"sha256:(\w+)", entry["hashes"]))


def package_or_model(text: str) -> Component:
    """Return the package if `text` is NAME==VERSION. Otherwise return the model of that name."""
    name, pinned, version = text.partition("==")
    return package(name, version, []) if pinned else model(name)


def package(name: str, version: str, sha256_sums: Sequence[str]) -> Component:
    """Return a Python package as a component. Raises KeyError if `docker/licences.toml` does not have its licence."""
    url = PackageURL("pypi", name=name.lower(), version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=str(url),
        licenses=[LicenseExpression(LICENCES[name.lower()])],
        hashes=[sha256_hash(sha256) for sha256 in sha256_sums],
    )


def model(name: str) -> Component:
    """Return a model of the catalogue as a component: its file, its licence and what it was trained on."""
    entry = tomllib.loads(CATALOGUE.read_text("utf-8"))["models"][name]
    return Component(
        name=name,
        bom_ref=f"model:{name}",
        version=entry["sha256"][:12],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        description=f"{entry['architecture']}; trained {entry['training']}",
        licenses=[LicenseExpression(entry["licence"])],
        hashes=[sha256_hash(entry["sha256"])],
    )


def sha256_hash(content: str) -> HashType:
    """Return a sha256 in the form of CycloneDX."""
    return HashType(alg=HashAlgorithm.SHA_256, content=content)


if __name__ == "__main__":
    print(JsonV1Dot6(make_bom(Path(sys.argv[1]), sys.argv[2:])).output_as_string(indent=2))
