"""The catalogue of known models: the checksum of each file, the source of its weights, and its card.

The file is `service/model_files/catalogue.toml`. It is in the service, which also compares model files with these
checksums.
"""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.errors import UnknownModel
from service.model_files.card import PackageSource
from service.model_files.catalogue import CATALOGUE, did_you_mean

TRAINED_MODELS = Path(__file__).parent
"""The folder of the models that were trained here, as NAME.onnx."""


OWN_FIELDS = frozenset({"sha256", "results", "error_rates", "compatible_with"})
"""The fields of a table that a variant of the model does not take over: they are measured for each model."""


class ZooModel(BaseModel):
    """A known model.

    sha256: of the converted file, which includes the card.
    source: the file that the weights come from. None if the model was trained here. Then its file is in
    `TRAINED_MODELS`.

    The other fields of the table are fields of the card. A table with `variant_of` takes over the fields of that model,
    except for those that it gives itself and for those in `OWN_FIELDS`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    sha256: str
    source: PackageSource | None = None

    @property
    def card(self) -> dict[str, Any]:
        """The fields of the card, without the identity, which is computed from the graph."""
        return self.model_dump(exclude={"sha256"}, exclude_none=True)


class Zoo(BaseModel):
    """The known models, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, ZooModel]

    def entry(self, name: str) -> ZooModel:
        """Return the model of this name. Raises UnknownModel, with a hint at the most similar name."""
        if name in self.models:
            return self.models[name]
        hint = did_you_mean(name, self.models)
        raise UnknownModel(
            f"The catalogue has no model {name}. {hint}The known names are {', '.join(self.models)}. "
            "A model of your own is a file NAME.onnx in the folder of the models, which facenet-models export or "
            "facenet-models adopt writes."
        )


def read_zoo(path: Path = CATALOGUE) -> Zoo:
    """Read the known models. Raises pydantic.ValidationError if the file has another form."""
    file = tomllib.loads(path.read_text("utf-8"))
    tables = file["models"]
    models = {name: {**_taken_over(table, tables), "name": name} for name, table in tables.items()}
    return Zoo.model_validate({**file, "models": models})


def _taken_over(table: dict[str, Any], tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of a table, with those of the model that it is a variant of."""
    own = dict(table)
    parent = own.pop("variant_of", None)
    if parent is None:
        return own
    return {name: value for name, value in tables[parent].items() if name not in OWN_FIELDS} | own
