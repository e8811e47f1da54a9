"""Write a folder for each person. The folder of all of them gets its name when it is complete."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.commands.photographs.face_finding import FoundFaces
from service.commands.sorting.people import SortedPerson
from service.domain.command_errors import FileNotWritten

OTHERS = "others"
"""The folder of photographs whose people are in no other photograph."""

WITHOUT_FACE = "without-face"

MAX_STEM_BYTES = 200
"""Of a name that gets a number. A name has at most 255 bytes."""


def require_free(out: Path, photographs: Path) -> None:
    """Check that a folder can be written, before any work is done. Raises FileNotWritten.

    photographs: the folder that is read. If one were in the other, the next run would read what this one wrote.
    """
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise FileNotWritten(f"{out} exists already, and nothing is overwritten. Choose another name.")
    real, source = out.resolve(), photographs.resolve()
    if real.is_relative_to(source) or source.is_relative_to(real):
        raise FileNotWritten(f"{out} and {photographs} are one in the other. Choose a folder beside the photographs.")
    if not real.parent.is_dir():
        raise FileNotWritten(f"{out.parent} is not a folder. Make it first.")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a folder that only its owner can read. At the end it gets the name `out`. After an error, it is deleted.

    Raises FileNotWritten.
    """
    real = out.resolve()
    try:
        part = Path(tempfile.mkdtemp(dir=real.parent, prefix=f".{real.name[:50]}-"))
        try:
            yield part
            part.rename(real)  # refused if the folder got files meanwhile
        except BaseException:
            shutil.rmtree(part)
            raise
    except OSError as error:
        raise FileNotWritten(f"{out} cannot be written: {error.strerror}. Nothing is left of it.") from None


def place_photographs(folder: Path, found: FoundFaces, people: Iterable[SortedPerson], *, copy: bool) -> dict[str, int]:
    """Put each photograph into the folder of every person that it shows. Return how many are in each folder.

    A photograph without a face, and one that shows nobody who has a folder, has a folder apart. Raises OSError.
    """
    counts: dict[str, int] = {}
    placed: set[int] = set()
    for person in people:
        numbers = [found.faces[face].photograph for face in person.faces]
        counts[person.name] = _place(folder / person.name, (found.photographs[number] for number in numbers), copy=copy)
        placed.update(numbers)
    with_face = {face.photograph for face in found.faces}
    rest = set(range(len(found.photographs))) - placed
    for name, kept in ((OTHERS, rest & with_face), (WITHOUT_FACE, rest - with_face)):
        counts[name] = _place(folder / name, (found.photographs[number] for number in sorted(kept)), copy=copy)
    return counts


def _place(folder: Path, files: Iterable[Path], *, copy: bool) -> int:
    """Link or copy files into a new folder. Return how many. Without a file, no folder is made.

    A link is symbolic and relative: it shows where the photograph is, and takes no space.
    """
    names: set[str] = set()
    for file in files:
        folder.mkdir(mode=0o700, exist_ok=True)
        target = folder / _free_name(file.name, names)
        if copy:
            shutil.copy2(file, target)
        else:
            target.symlink_to(os.path.relpath(file.resolve(), folder))
    return len(names)


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it: IMG.jpg, then IMG-2.jpg. Capital letters make no other name."""
    number, free = 1, name
    stem = os.fsdecode(os.fsencode(Path(name).stem)[:MAX_STEM_BYTES])
    while free.casefold() in taken:
        number += 1
        free = f"{stem}-{number}{Path(name).suffix}"
    taken.add(free.casefold())
    return free
