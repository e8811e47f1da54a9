"""Read the photographs below a folder.

Only the suffix of a file is looked at. The service looks at the content. Everything that is not sent is listed with the
reason, but sidecar files are not.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from service.commands.photographs.left_out import LeftOut, left_out
from service.domain.command_errors import EmptyFolder

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".jp2", ".jxl"}
    | {".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".heic", ".heics", ".heif", ".heifs", ".hif", ".avif"}
)
"""The usual suffixes of photographs, in small letters. The service may refuse some of these formats, and says so."""

SIDECAR_SUFFIX = ".xmp"
"""Of a file that describes a photograph, such as those of `facenet identify --xmp`. It is neither sent nor listed."""


def read_all_photographs(paths: Iterable[Path]) -> tuple[list[Path], list[LeftOut]]:
    """Return what `read_photographs` returns of each folder, and each path that is a file."""
    files: list[Path] = []
    left_out: list[LeftOut] = []
    for path in paths:
        below = read_photographs(path) if path.is_dir() else ([path], [])
        files += below[0]
        left_out += below[1]
    return files, left_out


def read_photographs(folder: Path) -> tuple[list[Path], list[LeftOut]]:
    """List all photographs below a folder, and what is not sent. Raises EmptyFolder if there is no photograph."""
    reader = FolderReader(folder)
    files = list(reader.photographs_below(folder))
    if not files:
        raise EmptyFolder(folder, "files below it, with a usual suffix such as .jpg")
    return files, reader.left_out


class FolderReader:
    """Reads folders. left_out: what was found and is not sent.

    A link to a folder inside or around `root` is not followed: what is there belongs to the person whose folder it is
    in. A link to a folder elsewhere is followed, but only one such link, because it could be a loop.
    """

    def __init__(self, root: Path) -> None:
        self.left_out: list[LeftOut] = []
        self._given, self._root = root, root.resolve()
        self._followed: set[Path] = set()

    def photographs_below(self, folder: Path) -> Iterator[Path]:
        """Return all photographs in the folder and in the folders below it."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            if not self._enter(current):
                self.leave_out(current, "repeated_folder")
                continue
            entries = list(self.list_folder(current))
            modes = {entry: mode_of(entry) for entry in entries}
            waiting += [entry for entry in reversed(entries) if S_ISDIR(modes[entry])]
            yield from (entry for entry in entries if self._is_photograph(entry, modes[entry]))

    def list_folder(self, folder: Path) -> Iterator[Path]:
        """Return what is in the folder, by name, without hidden files and folders."""
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            self.leave_out(folder, "unreadable_folder")
            return
        if not entries:
            self.leave_out(folder, "empty_folder")
        for entry in entries:
            if entry.name.startswith("."):
                self.leave_out(entry, "hidden")
            else:
                yield entry

    def _enter(self, folder: Path) -> bool:
        """Return whether the folder should be read. If it is a link, remember where it leads."""
        if folder == self._given or not folder.is_symlink():
            return True
        real = folder.resolve()
        if real in self._followed or real.is_relative_to(self._root) or self._root.is_relative_to(real):
            return False
        self._followed.add(real)
        return True

    def _is_photograph(self, path: Path, mode: int) -> bool:
        """Return whether the file should be sent. If it is not a folder and is not sent, list it."""
        suffix = path.suffix.lower()
        if S_ISDIR(mode) or suffix == SIDECAR_SUFFIX:
            return False
        has_suffix = suffix in SUFFIXES
        if S_ISREG(mode) and has_suffix:
            return True
        self.leave_out(path, "unreadable_file" if has_suffix or not mode else "unknown_suffix")
        return False

    def leave_out(self, path: Path, code: str) -> None:
        """List a file or folder that is not sent. code: one of REASONS."""
        self.left_out.append(left_out(path, code))


def mode_of(path: Path) -> int:
    """Return the type and mode of what is at the path, or where the link leads. 0: it cannot be found out."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
