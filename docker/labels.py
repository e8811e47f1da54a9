"""Prints the labels of an image that change with every build, for `docker build`: version, revision, models."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
OCI = "org.opencontainers.image"


def labels(models: list[str]) -> dict[str, str]:
    """By name. models: of the zoo, which are in the image."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    zoo = tomllib.loads((ROOT / "models" / "zoo.toml").read_text("utf-8"))["models"]
    command = ["git", "-C", str(ROOT), "describe", "--match=", "--always", "--dirty", "--abbrev=40"]
    revision = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # git
    known = {f"{OCI}.version": version, f"{OCI}.revision": revision}
    return known | {f"facenet.model.{name}.sha256": zoo[name]["sha256"] for name in models}


if __name__ == "__main__":
    print(" ".join(f"--label {name}={value}" for name, value in labels(sys.argv[1:]).items()))
