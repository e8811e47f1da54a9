"""`facenet cluster` and `facenet compare`."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from facenet_client.schemas import LoadedModelAnswer
from service.clusterers.base import ClusteringLimits
from service.commands.connection import Connection
from service.commands.options import LOCAL, KeyFile, PhotographsDirectory, Url, connect, photographs_progress
from service.commands.output import csv_text, explains_interrupt, printable, require_new, write_text
from service.commands.photographs.face_finding import FaceFinder, FoundFaces
from service.commands.photographs.folder_reader import read_photographs
from service.commands.photographs.left_out import has_refused, left_out_lines
from service.commands.sorting.doubles import (
    chance_matches,
    choose_threshold,
    folders_of,
    identical_files,
    pairs_between_folders,
    read_calibration,
)
from service.commands.sorting.people import SortedPeople, cluster_people, read_threshold
from service.commands.sorting.report import write_report
from service.commands.sorting.same_people import SamePeople, SamePerson, same_people
from service.commands.sorting.sorted_folder import OTHERS, WITHOUT_FACE, new_folder, place_photographs, require_free
from service.domain.command_errors import NoClusteringThreshold

T = TypeVar("T")

app = typer.Typer()
DOUBLES_HEADER = ("kind", "file_a", "file_b", "distance", "pairs")


@app.command()
def cluster(  # noqa: PLR0913, PLR0917  # typer's way: a parameter for each option
    folder: PhotographsDirectory,
    out: Annotated[Path, typer.Option(help="the folder to write; it must not exist, or be empty")],
    copy: Annotated[bool, typer.Option("--copy", help="copy the photographs. Default: symbolic links")] = False,  # noqa: FBT002  # typer's way
    min_photographs: Annotated[
        int, typer.Option(min=1, help="a person in fewer photographs gets no folder, and is in `others`")
    ] = 2,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=4, help="a squared L2 distance; default: chosen for the number of clusters"),
    ] = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Sort photographs into a folder for each person. Nobody has to be enrolled.

    A photograph of several people is in the folder of each of them.
    OUT also gets contact sheets, and a report as CSV and JSON.
    The photographs are not changed, and nothing is overwritten.
    The exit code is 0 if no photograph was refused. Otherwise it is 1.
    """
    from service.commands.sorting.contact_sheets import write_contact_sheets  # noqa: PLC0415  # it needs the decoders

    require_free(out, folder)
    go_on = (
        f"Nothing was written to {printable(str(out))}. The next run begins again: embeddings are not kept on the disk."
    )
    with explains_interrupt(go_on), new_folder(out) as part:
        found, limits = _find_faces(folder, connect(url, key_file), partial(_limits, threshold))
        result = cluster_people(found, limits, min_photographs)
        counts = place_photographs(part, found, result.people, copy=copy)
        sheets = write_contact_sheets(part, found, result.people)
        write_report(part, found, result)
    for line in left_out_lines(found.left_out, f"{printable(str(out))}/report.json has all of them."):
        print(line)  # noqa: T201  # its output
    print(_sorted_line(out, counts, people=len(result.people), sheets=sheets))  # noqa: T201  # its output
    if result.people:
        print(_threshold_line(result))  # noqa: T201  # its output
    raise typer.Exit(1 if has_refused(found.left_out) else 0)


@app.command()
def compare(
    folder: PhotographsDirectory,
    csv: Annotated[Path | None, typer.Option(help="a file to write; it must not exist")] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=4, help="a squared L2 distance; default: chosen for the number of pairs of faces"),
    ] = None,
    url: Url = LOCAL,
    key_file: KeyFile = None,
) -> None:
    """Find what is in a folder of people twice: identical files, and one person in two folders.

    Each folder in FOLDER is a person, as in `facenet enrol`.
    Two folders are reported if a face of one is nearer to a face of the other than the threshold.
    By default, the threshold is chosen so that a pair is seldom reported by chance.
    The exit code is 0 if no photograph was refused. Otherwise it is 1.
    """
    require_new(csv)
    with explains_interrupt("Nothing was written. The next run begins again."):
        found, model = _find_faces(folder, connect(url, key_file), lambda model: model)
    folders = folders_of(found, folder)
    pairs = pairs_between_folders(found, folders)
    calibration = read_calibration(model)
    limit = choose_threshold(calibration, pairs, model.threshold) if threshold is None else threshold
    identical, same = identical_files(found), same_people(found, folders, limit)
    if csv is not None:
        write_text(csv, csv_text(DOUBLES_HEADER, _double_rows(identical, same.reported)))
    for line in [*left_out_lines(found.left_out, "They are not in a file."), *_double_lines(identical, same)]:
        print(line)  # noqa: T201  # its output
    print(_found_line(len(identical), len(same.reported) + same.left_out))  # noqa: T201
    print(_compared_line(pairs, limit, chance_matches(calibration, pairs, limit)))  # noqa: T201
    raise typer.Exit(1 if has_refused(found.left_out) else 0)


def _limits(threshold: float | None, model: LoadedModelAnswer) -> ClusteringLimits:
    """Return the threshold of the caller, and that of the model. Raises NoClusteringThreshold if there is none."""
    of_model = read_threshold(model)
    if threshold is None and of_model is None:
        raise NoClusteringThreshold
    return ClusteringLimits(threshold, None, of_model)


def _find_faces(
    folder: Path, connection: Connection, read_model: Callable[[LoadedModelAnswer], T]
) -> tuple[FoundFaces, T]:
    """Return the faces of all photographs below a folder, and what was read of the answer of GET /model.

    read_model: is called before the photographs are sent. Raises EmptyFolder.
    """
    files, left_out = read_photographs(folder)
    with connection as service, photographs_progress("Finding faces", len(files)) as done:
        model = service.model()
        read = read_model(model)
        found = FaceFinder(service, model.id, done).run(files)
    found.left_out[:0] = left_out
    return found, read


def _sorted_line(out: Path, counts: dict[str, int], *, people: int, sheets: int) -> str:
    others, without_face = counts[OTHERS], counts[WITHOUT_FACE]
    return (
        f"{printable(str(out))} has report.csv and report.json. People: {people}. Contact sheets: {sheets}. "
        f"Photographs in {OTHERS}: {others}, in {WITHOUT_FACE}: {without_face}."
    )


def _threshold_line(result: SortedPeople) -> str:
    line = f"Threshold: {result.threshold_sq_l2:.3f}, a squared L2 distance."
    if result.expected_mixed_share is None:
        return line
    share = f"{100 * result.expected_mixed_share:g} %"
    return f"{line} At most {share} of the folders of people are expected to have faces of several people."


def _found_line(identical: int, pairs_of_folders: int) -> str:
    return f"Files that are there several times: {identical}. Pairs of folders with one person: {pairs_of_folders}."


def _compared_line(pairs: int, threshold: float, by_chance: float | None) -> str:
    compared = f"{pairs:,} pairs of faces in different folders were compared, at the threshold {threshold:.3f}."
    return compared if by_chance is None else f"{compared} By chance, {by_chance:.2g} of them match."


def _double_rows(
    identical: Sequence[tuple[Path, ...]], same: Sequence[SamePerson]
) -> Iterator[tuple[str | float | None, ...]]:
    for first, *others in identical:
        for other in others:
            yield "identical", str(first), str(other), None, None
    for one in same:
        yield "same person", *map(str, one.nearest), round(one.distance, 6), one.pairs


def _double_lines(identical: Sequence[tuple[Path, ...]], same: SamePeople) -> Iterator[str]:
    for files in identical:
        yield f"identical: {' = '.join(printable(str(file)) for file in files)}"
    for one in same.reported:
        first, second = (printable(str(file)) for file in one.nearest)
        yield f"same person: {first} and {second}: distance {one.distance:.3f}, {one.pairs} pairs of faces"
    if same.left_out:
        yield f"same person: {same.left_out:,} more pairs of folders. The {len(same.reported):,} nearest are listed."
