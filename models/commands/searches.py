# ruff: noqa: PLC0415  # evaluations need seconds to import (Matplotlib, SciPy), and pulling models needs none of them
"""The commands that measure searches in a gallery: evaluate compatibility, evaluate identification."""

from pathlib import Path
from typing import Annotated

import typer

from models.commands.evaluation import OUT, Images, Out, PairsFile
from models.commands.options import Mirror, Model, NewModel, OldModel, PipelineChoice
from models.commands.output import command_line, finish_report
from models.progress import progress_bar

app = typer.Typer()


@app.command("compatibility")
def compatibility(old: OldModel, new: NewModel, images: Images, pairs: PairsFile, out: Out = OUT) -> None:
    """Harmonic embeddings on LFW: VAL, accuracy and rank-1 of A with A, of B with B, and of B against a gallery of A.

    It prints the results of B against A in the form of B's card. In the card, put them after the entry that
    `calibrate-between` prints.
    """
    from models.evaluation.data.pairs import read_pair_lists
    from models.evaluation.experiments.compatibility import evaluate_compatibility, read_benchmark
    from models.evaluation.reports.card_entries import toml_entry

    benchmark = read_benchmark(images, read_pair_lists(pairs))
    old_options, new_options = (PipelineChoice(name).pipeline_options() for name in (old, new))
    with progress_bar(2 * len(benchmark.pair_list.images), f"Embedding photographs with {old} and {new}") as done:
        report = evaluate_compatibility(old_options, new_options, images, benchmark, done)
    finish_report(report, out, "compatibility", old, new)
    entries = (toml_entry(Path(new).stem, "compatible_with.results", row) for row in report.results(command_line()))
    print("\n\n".join(entries))  # noqa: T201  # its output


@app.command("identification")
def identification(
    folder: Annotated[
        Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg. People with one photograph are the strangers")
    ],
    model: Model = "sface",
    mirror: Annotated[Mirror, typer.Option(help="average the embeddings of each face and of its mirror image")] = "off",
    two_names: Annotated[
        Path | None, typer.Option(help="a list of strangers who are enrolled under another name: they are set aside")
    ] = None,
    out: Out = OUT,
) -> None:
    """Open set: rank-1, FNIR at an FPIR of 0.1, 0.01 and 0.001, the DET curve, and the FPIR that the card promises.

    The first photograph of each person with two or more is enrolled. The list for LFW is
    models/evaluation/identification/lfw_two_names.toml
    """
    from models.evaluation.data.identities import list_identities
    from models.evaluation.identification.open_set import embed_open_set
    from models.evaluation.identification.report import measure_identification
    from models.evaluation.identification.two_names import read_two_names
    from service.pipeline.opening import open_embedder

    options = PipelineChoice(model, mirror=mirror).pipeline_options()
    aside = {person.alone for person in read_two_names(two_names)} if two_names else set()
    identities = list_identities(folder)
    with progress_bar(len(identities.files), "Embedding photographs") as done:
        people = embed_open_set(options, identities, aside, done)
    report = measure_identification(Path(model).stem, people, open_embedder(options).card.calibration)
    finish_report(report, out, "identification", model)
