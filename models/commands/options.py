"""Options that several commands share, and `PipelineChoice`, the models that the options choose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.model_files.catalogue import ModelSource, find_model
from service.observability.process_limits import cpu_count
from service.pipeline.opening import PipelineOptions

MODELS_FOLDER = Path("var/models")
MAX_BATCH = 4

Model = Annotated[str, typer.Option(help="a name in the catalogue, or an .onnx file")]
Models = Annotated[list[str], typer.Argument(help="names in the catalogue, or .onnx files")]
OldModel = Annotated[str, typer.Argument(help="A, the model of the gallery: a name in the catalogue, or an .onnx file")]
NewModel = Annotated[str, typer.Argument(help="B, the model of the probes: a name in the catalogue, or an .onnx file")]
UnseenPeople = Annotated[
    Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg, of people that the model was not trained on")
]
Only = Annotated[Path | None, typer.Option(help="a file with one name on each line: all other people are left out")]
FacesFolder = Annotated[Path, typer.Option(help="the folder that prepare has written", exists=True, file_okay=False)]
References = Annotated[int, typer.Option(min=1, help="how many people are enrolled")]
Fpir = Annotated[
    float, typer.Option(min=1e-4, max=0.5, help="the share of the people who are not enrolled that may get a match")
]

Landmarks = Literal["onet", "detector"]
"""The model that gives the five landmarks. `detector` keeps the landmarks of the detector."""

Mirror = Literal["off", "always"]
"""Whether the embeddings of a face and of its mirror image are averaged. All photographs here are probes."""


@dataclass(frozen=True, slots=True)
class PipelineChoice:
    """The models of a pipeline, as the command line gives them: names in the catalogue, or paths of .onnx files."""

    embedder: str = "sface"
    landmarks: Landmarks = "onet"
    mirror: Mirror = "off"
    detector: str = "yunet"

    def pipeline_options(self) -> PipelineOptions:
        """Return the options of the pipeline, as the service sets them on a CPU.

        Raises ModelFileError if a name is not in the catalogue. Raises InvalidModel if a file has no valid card, or if
        its graph was changed after the card was written.
        """
        cores = cpu_count()
        return PipelineOptions(
            detector=_find_checked_model(self.detector),
            landmarks=None if self.landmarks == "detector" else _find_checked_model(self.landmarks),
            embedder=_find_checked_model(self.embedder),
            threads=cores,
            workers=cores,
            max_batch=MAX_BATCH,
            mirror=self.mirror,
        )


def _find_checked_model(model: str) -> ModelSource:
    from models.conversion.card import read_checked_card  # noqa: PLC0415  # onnx

    source = find_model(model, MODELS_FOLDER)
    read_checked_card(source.path)
    return source
