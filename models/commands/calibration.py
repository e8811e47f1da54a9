# ruff: noqa: PLC0415  # scikit-learn and SciPy need seconds to import, and pulling models needs neither
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""The commands that measure what is in a card: calibrate, calibrate-between, calibrate-quality; and calibrate-int8."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.commands.options import Fpir, Model, NewModel, OldModel, Only, PipelineChoice, References, UnseenPeople
from models.progress import progress_bar

app = typer.Typer()


@app.command("calibrate")
def calibrate(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="FOLDER/PERSON/PHOTOGRAPH.jpg")],
    model: Annotated[
        list[str], typer.Option(help="a name in the catalogue, or an .onnx file; repeat the option for several models")
    ] = ["sface"],  # noqa: B006  # typer copies it
    only: Only = None,
    references: References = 1000,
    fpir: Fpir = 0.01,
) -> None:
    """Measure the thresholds of a model and its error rates at each threshold, on a folder of people.

    They are printed in the form of the catalogue. models/README.md says how they get into a model file ("Your own
    calibration"). Use people that the model was not trained on.

    It needs more people than --references, two photographs of most people, and 43,500 pairs of photographs of two
    people: 300 people with one photograph each, or 100 with several. At most 8 photographs of a person are used.
    """
    from models.calibration import thresholds
    from models.calibration.clustering import find_clustering_thresholds, require_enough_pairs
    from models.calibration.error_rates import find_alike, measure_calibration, require_several_photographs
    from models.evaluation.reports.card_entries import toml_table

    sample = thresholds.draw_sample(folder, only)
    thresholds.require_enough_people(sample.people, references)
    require_several_photographs(sample.people)
    require_enough_pairs(sample.people)
    pipelines = [PipelineChoice(name).pipeline_options() for name in model]
    for name, options in zip(model, pipelines, strict=True):
        with progress_bar(len(sample.files), f"Embedding photographs with {name}") as done:
            faces = thresholds.embed_sample(options, sample, done)
        measured_on = f"{len(faces.people):,} photographs of {len(np.unique(faces.people)):,} people of {folder.name}"
        clustering = toml_table(Path(name).stem, "clustering", find_clustering_thresholds(faces, measured_on))
        calibration = toml_table(Path(name).stem, "calibration", measure_calibration(faces, folder.name))
        print(thresholds.calibrate(faces, references, fpir).to_toml(Path(name).stem))  # noqa: T201  # its output
        print(f"\n{clustering}")  # noqa: T201  # its output
        print(f"\n{calibration}")  # noqa: T201  # its output
        for one, other in find_alike(faces):
            print(f"# one person under two names? {sample.name(one)}, {sample.name(other)}")  # noqa: T201  # its output


@app.command("calibrate-int8")
def calibrate_int8(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="FOLDER/PERSON/PHOTOGRAPH.jpg")],
    out: Annotated[Path, typer.Option(help="the file that is written")] = Path("models/conversion/int8/sface.npz"),
) -> None:
    """Measure the grids of sface-int8: which number each 8-bit integer stands for. No person of LFW may be in FOLDER.

    One photograph of each of 256 people is used. The sha256 of sface-int8 changes, so write the new one into the
    catalogue: `facenet-models pull sface-int8` prints it.
    """
    from models.conversion.int8.grids import write_grids
    from models.release.int8_grids import measure_sface

    with progress_bar(1, "Measuring activations") as done:
        write_grids(out, measure_sface(folder, PipelineChoice("sface").pipeline_options()))
        done()
    print(out)  # noqa: T201  # its output


@app.command("calibrate-between")
def calibrate_between(
    old: OldModel,
    new: NewModel,
    folder: UnseenPeople,
    only: Only = None,
    references: References = 1000,
    fpir: Fpir = 0.01,
) -> None:
    """Measure the thresholds and error rates between two models, and print them in the form of B's card.

    The output is an entry of `compatible_with`. At most four photographs of each person are used. The command needs 12
    bytes of memory for each ordered pair of photographs: 1.2 GB for 10,000 photographs.
    """
    from models.calibration.between_models import calibrate_between as measure
    from models.calibration.between_models import embed_both
    from models.calibration.thresholds import PROBES_PER_PERSON, require_enough_people
    from models.evaluation.data.identities import read_identities
    from models.evaluation.reports.card_entries import toml_entry
    from service.pipeline.opening import open_embedder

    identities = read_identities(folder, PROBES_PER_PERSON, only)
    require_enough_people(identities.people, references)
    old_options, new_options = (PipelineChoice(name).pipeline_options() for name in (old, new))
    with progress_bar(2 * len(identities.files), f"Embedding photographs with {old} and {new}") as done:
        both = embed_both(old_options, new_options, identities, folder.name, done)
    entry = measure(open_embedder(old_options).card, both, both, references, fpir)
    print(toml_entry(Path(new).stem, "compatible_with", entry))  # noqa: T201  # its output


@app.command("calibrate-quality")
def calibrate_quality(folder: UnseenPeople, model: Model = "sface", only: Only = None) -> None:
    """Fit the weights of the quality score on a folder of people, and print them in the form of the catalogue.

    At most five photographs of each person are used.
    """
    from models.calibration.quality import PAIRS_PER_PERSON, fit_quality
    from models.evaluation.data.identities import read_identities
    from models.evaluation.quality.probes import count_pairs, embed_pairs
    from models.evaluation.reports.card_entries import toml_table

    identities = read_identities(folder, PAIRS_PER_PERSON + 1, only)
    with progress_bar(count_pairs(identities), "Embedding pairs of photographs") as done:
        pairs = embed_pairs(PipelineChoice(model).pipeline_options(), identities, done)
    print(toml_table(Path(model).stem, "quality", fit_quality(pairs, folder.name)))  # noqa: T201  # its output
