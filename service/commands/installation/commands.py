"""`facenet settings`, `facenet threshold` and `facenet doctor`. They need no running service."""

from typing import Annotated

import typer

from service.commands.output import printable

app = typer.Typer()


@app.command()
def settings() -> None:
    """Print every setting: its name, the value that is in force, and what it means. Secrets are hidden."""
    from service.commands.installation.settings_list import settings_lines, terminal_columns  # noqa: PLC0415  # it imports the gallery
    from service.settings.environment import load_settings  # noqa: PLC0415

    for line in settings_lines(load_settings(), terminal_columns()):
        print(line)  # noqa: T201  # its output


@app.command()
def threshold(
    fmr: Annotated[float | None, typer.Option(help="how often two people may match, in /verify")] = None,
    fpir: Annotated[float | None, typer.Option(help="how often a stranger may get a match, in /identify")] = None,
    people: Annotated[
        int | None, typer.Option(min=1, max=10**9, help="with --fpir: how many people are enrolled; default: 1000")
    ] = None,
    photographs: Annotated[int, typer.Option(min=1, max=1000, help="enrolled photographs of each person")] = 1,
) -> None:
    """Print the threshold for an error rate, and how many mated pairs do not match there.

    It reads the card of the model FACE_MODELS__EMBEDDER. Give --fmr, or --fpir and --people.
    """
    from service.decisions.error_rates.advice import advise_fmr, advise_fpir  # noqa: PLC0415
    from service.settings.environment import load_settings  # noqa: PLC0415
    from service.settings.pipeline import embedder_card  # noqa: PLC0415  # the other commands need no models

    if (fmr is None) == (fpir is None):
        raise typer.BadParameter("Give --fmr or --fpir, one of the two.")
    if fpir is None and people:
        raise typer.BadParameter("--people belongs to --fpir. The FMR does not depend on it.")
    rate = fpir if fmr is None else fmr
    if rate is None or not 0 < rate < 1:
        raise typer.BadParameter("A rate is above 0 and below 1, such as 0.0001.")
    card = embedder_card(load_settings())
    advice = (
        advise_fmr(card, rate, photographs) if fpir is None else advise_fpir(card, rate, people or 1000, photographs)
    )
    for line in advice:
        print(line)  # noqa: T201  # its output


@app.command()
def doctor() -> None:
    """Check the settings, the models, the data directory and the running service, and say what to do.

    Nothing is changed, and no secret is printed. The exit code is 1 if something is wrong.
    """
    from service.commands.installation.health import examine  # noqa: PLC0415  # the other commands need no models

    findings = list(examine())
    for finding in findings:
        print(printable(str(finding)))  # noqa: T201  # its output
    faults = sum(finding.is_fault for finding in findings)
    print(f"{faults} of {len(findings)} checks failed." if faults else "Everything is in order.")  # noqa: T201  # its output
    raise typer.Exit(1 if faults else 0)
