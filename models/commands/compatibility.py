"""The command that measures two models against each other on LFW: evaluate compatibility."""

from pathlib import Path

import typer

from models.commands.evaluation import OUT, Images, Out, PairsFile
from models.commands.options import NewModel, OldModel, PipelineChoice
from models.commands.output import command_line, finish_report
from models.progress import progress_bar

app = typer.Typer()


@app.command("compatibility")
def compatibility(old: OldModel, new: NewModel, images: Images, pairs: PairsFile, out: Out = OUT) -> None:
    """Harmonic embeddings on LFW: VAL, accuracy and rank-1 of A with A, of B with B, and of B against a gallery of A.

    It prints the results of B against A in the form of B's card. In the card, put them after the entry that
    `calibrate-between` prints.
    """
    from models.evaluation.data.pairs import read_pair_lists  # noqa: PLC0415  # evaluations need seconds to import
    from models.evaluation.experiments.compatibility import evaluate_compatibility, read_benchmark  # noqa: PLC0415
    from models.evaluation.reports.card_entries import toml_entry  # noqa: PLC0415

    benchmark = read_benchmark(images, read_pair_lists(pairs))
    old_options, new_options = (PipelineChoice(name).pipeline_options() for name in (old, new))
    with progress_bar(2 * len(benchmark.pair_list.images), f"Embedding photographs with {old} and {new}") as done:
        report = evaluate_compatibility(old_options, new_options, images, benchmark, done)
    finish_report(report, out, "compatibility", old, new)
    entries = (toml_entry(Path(new).stem, "compatible_with.results", row) for row in report.results(command_line()))
    print("\n\n".join(entries))  # noqa: T201  # its output
