"""Print the labels of an image that change with every build, as options of `docker build`: version, revision, models.

python docker/labels.py sface yunet onet
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "service" / "model_files" / "catalogue.toml"
OCI = "org.opencontainers.image"


def make_labels(models: list[str]) -> dict[str, str]:
    """Return the value of each label.

    models: the models that are in the image, by their names in the catalogue.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    catalogue = tomllib.loads(CATALOGUE.read_text("utf-8"))["models"]
    command = ["git", "-C", str(ROOT), "describe", "--match=", "--always", "--dirty", "--abbrev=40"]
    revision = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # git
    labels = {f"{OCI}.version": version, f"{OCI}.revision": revision}
    return labels | {f"facenet.model.{name}.sha256": catalogue[name]["sha256"] for name in models}


if __name__ == "__main__":
    print(" ".join(f"--label {name}={value}" for name, value in make_labels(sys.argv[1:]).items()))
