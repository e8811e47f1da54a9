"""The file of a collection: how it is known, and that no change of it is missed."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from service.domain.command_errors import CollectionFileUnusable
from service.gallery.backup.collection_file import check_file, is_collection_file, read_parts
from tests.support.collection_files import subject_line, with_checksums

TIME = "2026-01-02T03:04:05+00:00"
FIRST = {"type": "collection", "format": "facenet collection", "version": 1, "id": "people", "subjects": 4, "faces": 0}
PARTS = with_checksums(
    [
        [FIRST, subject_line("a"), subject_line("b")],
        [subject_line("c")],
        [subject_line("d"), {"type": "end", "subjects": 4, "faces": 0}],
    ]
)


def read(file: Path) -> bytes:
    lines: list[int] = []
    assert check_file(file, lines.append).subjects == sum(lines)
    return b"".join(part.data for part in read_parts(file))


def is_refused(file: Path) -> bool:
    """Return whether the file is refused. Some bits of gzip have no meaning: without them, the content is the same."""
    try:
        assert read(file) == b"".join(PARTS)
    except CollectionFileUnusable:
        return True
    return False


@pytest.mark.parametrize("kind", ["compressed", "plain"])
def test_every_flipped_bit_is_noticed(tmp_path: Path, kind: str) -> None:
    file, whole = tmp_path / "file", b"".join(PARTS)
    written = zlib.compress(whole, wbits=31) if kind == "compressed" else whole
    file.write_bytes(written)
    assert read(file) == whole
    start = 10 if kind == "compressed" else 0  # the header of gzip says nothing of the content
    random, refused = np.random.default_rng(0), 0
    for place in range(start, len(written)):
        changed = bytearray(written)
        changed[place] ^= 1 << int(random.integers(8))
        file.write_bytes(changed)
        refused += is_refused(file)
    assert refused >= len(written) - start - (kind == "compressed")


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    file, written = tmp_path / "file", gzip.compress(b"".join(PARTS))
    for length in range(len(written)):
        file.write_bytes(written[:length])
        assert is_refused(file), length


@pytest.mark.parametrize("order", [[0, 2], [1, 2], [0, 1], [0, 1, 1, 2], [0, 2, 1], [0, 1, 2, 2], [0, 0, 1, 2], []])
def test_parts_are_not_left_out_repeated_or_exchanged(tmp_path: Path, order: list[int]) -> None:
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(b"".join(PARTS[number] for number in order)))
    with pytest.raises(CollectionFileUnusable):
        read(file)


@pytest.mark.parametrize("end", [{"subjects": 3, "faces": 0}, {"subjects": 4, "faces": 1}, {"subjects": 4}, {}])
def test_the_numbers_of_the_last_line_are_compared(tmp_path: Path, end: dict[str, int]) -> None:
    file = tmp_path / "file"
    lines = [FIRST, *(subject_line(name) for name in "abcd"), {"type": "end", **end}]
    file.write_bytes(b"".join(with_checksums([lines])))
    with pytest.raises(CollectionFileUnusable):
        read(file)


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(PARTS[0] + b"x" * 2**22))
    with pytest.raises(CollectionFileUnusable, match="a line is not what"):
        read(file)


def test_a_file_is_known_by_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content, is_one in (
        (gzip.compress(b"".join(PARTS)), True),
        (gzip.compress(b"".join(PARTS))[:-20], True),
        (b"".join(PARTS), True),
        (b'{"subject": "a"}\n' + b"".join(PARTS), False),
        (gzip.compress(b'{"subject": "a"}\n'), False),
        (b"", False),
        (b"\x1f\x8b\x00", False),
    ):
        file.write_bytes(content)
        assert is_collection_file(file) == is_one
