"""Names on the command line -> the pipeline that is measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.conversion.card import check
from models.zoo import read_zoo
from service import allowance
from service.pipeline import ModelSource, PipelineOptions

MODELS = Path("var/models")
MAX_BATCH = 4

Landmarks = Literal["onet", "detector"]
"""Whose five points are used; `detector` keeps its own."""

Mirror = Literal["off", "always"]
"""Whether a face is averaged with its mirror image. Photographs are measured as probes, so there is no third way."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured. embedder, detector: a name in the zoo or the path of an .onnx file."""

    embedder: str = "sface"
    landmarks: Landmarks = "onet"
    mirror: Mirror = "off"
    detector: str = "yunet"

    def pipeline_options(self) -> PipelineOptions:
        """As the service fills them in on a CPU. Raises UnknownModel or InvalidModel."""
        cores = allowance.cores()
        return PipelineOptions(
            detector=_source(self.detector),
            landmarks=None if self.landmarks == "detector" else _source(self.landmarks),
            embedder=_source(self.embedder),
            threads=cores,
            workers=cores,
            max_batch=MAX_BATCH,
            mirror=self.mirror,
        )


def _source(model: str) -> ModelSource:
    """The file, its identity checked; a name's sha256 is the zoo's."""
    if model.endswith(".onnx"):
        source = ModelSource(Path(model))
    else:
        entry = read_zoo().entry(model)
        source = ModelSource(MODELS / f"{entry.name}.onnx", entry.sha256)
    check(source.path)
    return source
