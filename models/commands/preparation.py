"""The command that makes training faces from photographs: prepare."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.commands.options import PipelineChoice
from models.commands.output import print_table
from models.progress import progress_bar

app = typer.Typer()


@app.command("prepare")
def prepare(
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(help="the folder for the faces, in shards; a stopped run continues there")],
    crop: Annotated[
        Literal["five_point", "box", "aligned"],
        typer.Option(
            help="five_point: align by five landmarks; box: cut the detected box; aligned: FOLDER holds canvases"
        ),
    ] = "five_point",
    canvas_px: Annotated[int, typer.Option(min=32, max=512, help="the side of a canvas, in pixels")] = 128,
    embedder: Annotated[
        str, typer.Option(help="the model that checks the labels: a name in the catalogue, or an .onnx file")
    ] = "sface",
) -> None:
    """Detect, align and cut the faces of a folder of people. Report which photographs are dropped or flagged."""
    from models.preparation.folder import read_folder  # noqa: PLC0415  # only this command needs it
    from models.preparation.prepare import PreparationOptions  # noqa: PLC0415
    from models.preparation.prepare import prepare as prepare_faces  # noqa: PLC0415

    options = PreparationOptions(pipeline=PipelineChoice(embedder).pipeline_options(), crop=crop, canvas_px=canvas_px)
    photographs = read_folder(folder)
    with progress_bar(len(photographs), "Preparing faces") as done:
        report = prepare_faces(photographs, out, options, done)
    print_table([("prepared", ""), *report.lines()])
