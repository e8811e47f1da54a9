"""The known model files and photographs: `zoo.toml`, read and validated."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.errors import UnknownModel
from service.card import Source

ZOO = Path(__file__).parent / "zoo.toml"
TRAINED = Path(__file__).parent / "zoo"
"""Where the graphs of models that were trained here lie."""


class Entry(BaseModel):
    """A model: the finished file's sha256, where its weights come from; the rest of the table is the card's.

    source: a file of a package; a model without one was trained here, and its graph lies in `models/zoo/NAME.onnx`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    sha256: str
    source: Source | None = None

    @property
    def card(self) -> dict[str, Any]:
        """The card's fields but for the identity, which is the graph's."""
        return self.model_dump(exclude={"sha256"}, exclude_none=True)


class Zoo(BaseModel):
    """models: by name. photographs: by PERSON/FILE, a folder of identities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, Entry]
    photographs: dict[str, Source]

    def entry(self, name: str) -> Entry:
        """Raises UnknownModel, naming the nearest that there is."""
        if name in self.models:
            return self.models[name]
        near = difflib.get_close_matches(name, self.models, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownModel(f"The zoo has no model {name}; {hint}There are {', '.join(self.models)}.")


def read_zoo(path: Path = ZOO) -> Zoo:
    """The zoo of this project, or another file of the same form."""
    tables = tomllib.loads(path.read_text("utf-8"))
    for name, table in tables["models"].items():
        table["name"] = name
    return Zoo.model_validate(tables)
