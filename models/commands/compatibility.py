# ruff: noqa: PLC0415  # what measures needs seconds to import, and pulling models needs none of it
# ruff: noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
"""What measures two models against each other: the appendix of the paper, and the entry of a card."""

from pathlib import Path
from typing import Annotated

import typer

from models.commands.evaluating import OUT, Images, Only, Out, PairList, command, finish
from models.options import Measured
from models.progress import counted

app = typer.Typer()

Old = Annotated[str, typer.Argument(help="A, whose gallery is there: of the zoo, or an .onnx file")]
New = Annotated[str, typer.Argument(help="B, which makes the probes: of the zoo, or an .onnx file")]


@app.command()
def compatibility(old: Old, new: New, images: Images, pairs: PairList, out: Out = OUT) -> None:
    """Harmonic embeddings on LFW: VAL, accuracy and rank-1 of A with A, B with B, and B against a gallery of A.

    Prints what B's card says of the last, behind what `evaluate compatible` prints.
    """
    from models.evaluation import results
    from models.evaluation.compatibility import evaluate, read_benchmark
    from models.evaluation.pairs import read_pairs

    benchmark = read_benchmark(images, read_pairs(pairs))
    of_old, of_new = (Measured(one).pipeline_options() for one in (old, new))
    with counted(2 * len(benchmark.pairs.images), f"Embedding photographs with {old} and {new}") as done:
        report = evaluate(of_old, of_new, images, benchmark, done)
    finish(report, out, "compatibility", old, new)
    rows = (results.entry(Path(new).stem, "compatible_with.results", one) for one in report.results(command()))
    print("\n\n".join(rows))  # noqa: T201  # its output


@app.command("compatible")
def entry(
    old: Old,
    new: New,
    folder: Annotated[Path, typer.Argument(help="FOLDER/PERSON/PHOTOGRAPH.jpg, people not trained on")],
    only: Only = None,
    references: Annotated[int, typer.Option(min=1, help="how many people are enrolled")] = 1000,
    fpir: Annotated[float, typer.Option(min=1e-4, max=0.5, help="how often a stranger may be called somebody")] = 0.01,
) -> None:
    """Prints what B's card says of A (`compatible_with`): thresholds and error rates between the two.

    Takes 12 bytes for each photograph and each other one, of which four a person count: 1.2 GB for 10,000.
    """
    from models.calibration import PROBES_PER_PERSON, require_people
    from models.cross_calibration import compatible, embed_both
    from models.evaluation import results
    from models.evaluation.identities import read_identities
    from service.pipeline import open_embedder

    people = read_identities(folder, PROBES_PER_PERSON, only)
    require_people(people.people, references)
    of_old, of_new = (Measured(one).pipeline_options() for one in (old, new))
    with counted(2 * len(people.files), f"Embedding photographs with {old} and {new}") as done:
        both = embed_both(of_old, of_new, people, folder.name, done)
    found = compatible(open_embedder(of_old).card, both, references, fpir)
    print(results.entry(Path(new).stem, "compatible_with", found))  # noqa: T201  # its output
