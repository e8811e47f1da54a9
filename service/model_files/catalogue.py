"""The catalogue: the models that are known by name, and the sha256 that each file must have.

`catalogue.toml` also says how each file is made. `facenet-models` reads that part (`models/zoo/catalogue.py`).
"""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.command_errors import ModelFileError

CATALOGUE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model file, and the sha256 that it must have. sha256: None if it is not known."""

    path: Path
    sha256: str | None = None


def find_model(name: str, folder: Path, catalogue: Path = CATALOGUE, *, role: str = "embedder") -> ModelSource:
    """Find a model by its name in the catalogue, or by the path of its file.

    name: the file is `folder`/NAME.onnx. Or a path that ends in .onnx. The sha256 is known of a name in the catalogue
    only.
    role: `embedder`, `detector` or `landmarks`. An error lists the names of this role only.
    Raises ModelFileError if there is no such file and no such name, or if the catalogue cannot be read.
    """
    if name.endswith(".onnx"):
        return ModelSource(Path(name))
    models = _read_models(catalogue)
    if name not in models and has_own_model(name, folder):
        return ModelSource(folder / f"{name}.onnx")
    if name not in models:
        names = sorted(known for known, entry in models.items() if entry.get("role") == role)
        raise ModelFileError(
            f"There is no model {name}. {did_you_mean(name, names)}Models with the role {role}: {', '.join(names)}. "
            f"A model of your own is the file {folder / name}.onnx, which facenet-models export or facenet-models "
            "adopt writes. Or give the path of an .onnx file."
        )
    return _source(name, folder, models)


def has_own_model(name: str, folder: Path) -> bool:
    """Return whether the folder has a file of this name. A name with a slash is none."""
    return Path(name).name == name and (folder / f"{name}.onnx").is_file()


def find_int8(name: str, folder: Path, catalogue: Path = CATALOGUE) -> ModelSource | None:
    """Find the int8 file of an embedder: the model NAME-int8. Return None if the catalogue has none.

    name: a name in the catalogue, or a path.
    Raises ModelFileError if the catalogue cannot be read.
    """
    models, int8 = _read_models(catalogue), f"{name}-int8"
    return _source(int8, folder, models) if int8 in models else None


def _read_models(catalogue: Path) -> dict[str, Any]:
    try:
        models: dict[str, Any] = tomllib.loads(catalogue.read_text("utf-8"))["models"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        raise ModelFileError(
            f"{catalogue} cannot be read. Set FACE_MODELS__ZOO to the file that lists the known models."
        ) from None
    return models


def _source(name: str, folder: Path, models: dict[str, Any]) -> ModelSource:
    return ModelSource(folder / f"{name}.onnx", models[name]["sha256"])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question with the known name that is most similar. It is empty if no name is similar."""
    similar = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"Did you mean {similar[0]}? " if similar else ""
