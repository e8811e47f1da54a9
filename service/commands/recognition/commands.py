"""`facenet identify`, `facenet verify` and `facenet demo`."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from facenet_client.schemas import VerifyAnswer
from service.commands.connection import Connection, explains_missing
from service.commands.options import (
    LOCAL,
    KeyFile,
    PeopleDirectory,
    Url,
    check_id,
    check_rate,
    connect,
    photographs_progress,
)
from service.commands.output import explains_interrupt, printable, require_new, say, write_text
from service.commands.photographs.folder_reader import read_all_photographs
from service.commands.photographs.left_out import LeftOut, has_refused, left_out_lines
from service.commands.photographs.photograph_file import PhotographFile, read_photograph
from service.commands.recognition.demo import COLLECTION, run_demo
from service.commands.recognition.identified import Identification, IdentifiedPhotograph
from service.commands.recognition.table import line_of, searched_line, to_csv, to_json_lines
from service.domain.command_errors import PhotographUnusable, RequestRefused

app = typer.Typer()
PARTLY_WRITTEN = "Some of the files are written. Delete --csv FILE and --jsonl FILE, and run the command again."
TWO_PEOPLE = 3
"""The exit code of `verify` if the photographs show two people. 1 is an error, and 2 a wrong option."""

Photograph = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a photograph")]


@app.command()
def identify(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    paths: Annotated[
        list[Path], typer.Argument(exists=True, metavar="PATH", help="photographs, and folders with all below them")
    ],
    collection: Annotated[str, typer.Option(callback=check_id, help="the collection to search")] = "default",
    csv: Annotated[
        Path | None,
        typer.Option(help="a file to write: a row for each face, and for each file without one; it must not exist"),
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="a file to write: a line of JSON for each photograph; it must not exist")
    ] = None,
    xmp: Annotated[  # noqa: FBT002  # typer's way
        bool,
        typer.Option("--xmp", help="write PHOTOGRAPH.jpg.xmp beside each photograph with a match: its face regions"),
    ] = False,
    max_fpir: Annotated[
        float | None, typer.Option(callback=check_rate, help="how often a stranger may get a match; default: 0.01")
    ] = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Say who is in each photograph. The photographs are not changed, and no file is overwritten.

    The exit code is 0 if no photograph was refused. Otherwise it is 1.
    """
    require_new(csv, jsonl)
    files, left_out = read_all_photographs(paths)
    found, refused = _identify(files, collection, max_fpir, connect(url, key_file))
    left_out += refused
    with explains_interrupt(PARTLY_WRITTEN if csv or jsonl or xmp else "Nothing was written."):
        for file, write in ((csv, to_csv), (jsonl, to_json_lines)):
            if file is not None:
                write_text(file, write(found, left_out))
        for line in _lines(found, left_out, collection, _write_sidecars(found) if xmp else ()):
            print(line)  # noqa: T201  # its output
    _say_if_empty(found, collection)
    raise typer.Exit(1 if has_refused(left_out) else 0)


@app.command()
def verify(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    photograph_a: Photograph,
    photograph_b: Photograph,
    max_fmr: Annotated[
        float | None, typer.Option(callback=check_rate, help="how often two people may match, such as 0.0001")
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=4, help="a squared L2 distance")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer of the service")] = False,  # noqa: FBT002  # typer's way
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Say whether two photographs show the same person.

    The exit code is 0 if they do, and 3 if they do not. It is 1 if there is no answer.
    """
    if max_fmr is not None and threshold is not None:
        raise typer.BadParameter("Pass --max-fmr or --threshold, not both.")
    with connect(url, key_file) as service:
        try:
            answer = service.verify(
                _read(photograph_a).data, _read(photograph_b).data, threshold=threshold, max_fmr=max_fmr
            )
        except RequestRefused as error:
            file = {"image_a": photograph_a, "image_b": photograph_b}.get(error.problem.get("image", ""))
            raise (error if file is None else PhotographUnusable(file, str(error))) from None
    for line in [answer.model_dump_json()] if as_json else _verification_lines(answer, photograph_a, photograph_b):
        print(line)  # noqa: T201  # its output
    raise typer.Exit(0 if answer.verified else TWO_PEOPLE)


@app.command()
def demo(
    folder: PeopleDirectory,
    collection: Annotated[
        str, typer.Option(callback=check_id, help="the collection to enrol in; it is created if it does not exist")
    ] = COLLECTION,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Enrol, verify, identify and cluster real photographs in a running service, and show the answers."""
    with connect(url, key_file) as service:
        run_demo(service, folder, collection, Console())


def _identify(
    files: Sequence[Path], collection: str, max_fpir: float | None, connection: Connection
) -> tuple[list[IdentifiedPhotograph], list[LeftOut]]:
    """Return the photographs that were identified, and those that were refused."""
    found: list[IdentifiedPhotograph] = []
    refused: list[LeftOut] = []
    with (
        explains_interrupt("Nothing was written. The next run begins again."),
        explains_missing(collection),
        connection as service,
        photographs_progress(f"Identifying in {printable(collection)}", len(files)) as done,
    ):
        for result in Identification(service, collection, max_fpir, done).run(files):
            if isinstance(result, LeftOut):
                refused.append(result)
            else:
                found.append(result)
    return found, refused


def _lines(
    found: Sequence[IdentifiedPhotograph], left_out: Sequence[LeftOut], collection: str, sidecars: Iterable[str]
) -> Iterator[str]:
    """Return what is printed. sidecars: the lines about the sidecar files."""
    yield from map(line_of, found)
    yield from left_out_lines(left_out, "--csv FILE and --jsonl FILE have all of them.")
    yield from sidecars
    if found:
        yield searched_line(found, collection)


def _say_if_empty(found: Sequence[IdentifiedPhotograph], collection: str) -> None:
    """Say that everybody is unknown because nobody is enrolled: another collection may have been meant."""
    if found and not any(photograph.gallery_size for photograph in found):
        say(
            f"Nobody is enrolled in the collection {collection}, so nobody can be found there. Pass --collection with "
            f"another one, or enrol people: facenet enrol FOLDER --collection {collection}."
        )


def _read(file: Path) -> PhotographFile:
    photograph = read_photograph(file)
    if isinstance(photograph, LeftOut):
        raise PhotographUnusable(file, photograph.detail)
    return photograph


def _verification_lines(answer: VerifyAnswer, *files: Path) -> Iterator[str]:
    comparison = f"distance {answer.distance:.3f}, threshold {answer.threshold:.3f}, score {answer.score:.1f}"
    yield f"{'The same person' if answer.verified else 'Two people'}: {comparison}."
    if answer.fmr is not None:
        yield f"Two people match in {100 * answer.fmr:.3g} % of comparisons at this threshold."
    for file, image in zip(files, (answer.image_a, answer.image_b), strict=True):
        for warning in image.warnings:
            yield f"{printable(str(file))}: {warning.detail}"


def _write_sidecars(found: Sequence[IdentifiedPhotograph]) -> Iterator[str]:
    """Write the sidecar files. Yield a line for each that was not written, and at the end their number."""
    from service.commands.recognition.face_regions import sidecar_of, write_sidecar  # noqa: PLC0415  # it needs the decoders
    from service.domain.errors import PhotographError  # noqa: PLC0415

    written = 0
    for photograph in found:
        sidecar = printable(str(sidecar_of(photograph.file)))
        try:
            outcome = write_sidecar(photograph)
        except (OSError, PhotographError) as error:
            yield f"not written: {sidecar}: {printable(str(error))}"
            continue
        if outcome == "kept":
            yield f"not written: {sidecar}: There is such a file already. It was kept."
        written += outcome == "written"
    yield f"Sidecar files written: {written}."
