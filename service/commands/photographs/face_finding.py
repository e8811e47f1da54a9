"""Find every face of every photograph by a running service, with its embedding.

Each request has a few photographs, and several requests are on their way. So a folder may have any number of
photographs, and the service does not need more memory for it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facenet_client.schemas import EmbeddedFace
from service.commands.connection import Connection
from service.commands.photographs.left_out import LeftOut
from service.commands.photographs.photograph_file import (
    SPLIT_CODES,
    PhotographFile,
    box_of,
    read_photograph,
    refused_photograph,
    require_all,
)
from service.commands.photographs.threads import map_in_threads
from service.domain.command_errors import ModelChanged, RequestRefused
from service.domain.embedding import Embeddings
from service.domain.face import Box

REQUESTS_AT_ONCE = 4
PHOTOGRAPHS_PER_REQUEST = 8
BYTES_PER_REQUEST = 16 * 2**20


@dataclass(frozen=True, slots=True)
class PhotographedFace:
    """A face. photograph: its position in `FoundFaces.photographs`. box: in pixels of the upright photograph."""

    photograph: int
    box: Box


@dataclass(slots=True)
class FoundFaces:
    """The faces of photographs.

    photographs: those that the service accepted, and the sha256 of each.
    faces: of all photographs, in their order. embeddings: (n, d) float32, unit length, one for each face.
    left_out: the photographs that were refused.
    """

    photographs: list[Path] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    faces: list[PhotographedFace] = field(default_factory=list)
    vectors: list[Embeddings] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def embeddings(self) -> Embeddings:
        return np.stack(self.vectors) if self.vectors else np.empty((0, 0), np.float32)

    @property
    def photograph_numbers(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """(n,) int64: the position of the photograph of each face."""
        return np.array([face.photograph for face in self.faces], np.int64)

    def add(self, file: Path, sha256: str, faces: Sequence[tuple[Box, Sequence[float]]]) -> None:
        """Add a photograph, and the box and the embedding of each of its faces."""
        self.faces += [PhotographedFace(len(self.photographs), box) for box, _ in faces]
        self.vectors += [np.array(embedding, np.float32) for _, embedding in faces]
        self.photographs.append(file)
        self.sha256.append(sha256)


@dataclass(frozen=True, slots=True)
class _SentFile:
    path: Path
    sha256: str
    faces: tuple[EmbeddedFace, ...]


_Result = LeftOut | _SentFile
"""A photograph that was refused, or one that was sent."""


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """Sends photographs to POST /embed.

    model_id: of the loaded model. Every answer must be of it, because embeddings of two models cannot be compared.
    done: is called after each photograph.
    """

    service: Connection
    model_id: str
    done: Callable[[], object]

    def run(self, files: Sequence[Path]) -> FoundFaces:
        """Find the faces of all photographs. The result is in the order of `files`.

        Raises ModelChanged. Raises RequestRefused or Unreachable if the problem is not about one photograph.
        """
        found = FoundFaces()
        for results in map_in_threads(self._read_and_send, _parts(files), REQUESTS_AT_ONCE):
            for result in results:
                self._add(found, result)
        return found

    def _add(self, found: FoundFaces, result: _Result) -> None:
        if isinstance(result, LeftOut):
            found.left_out.append(result)
        else:
            faces = [(box_of(face), face.embedding or ()) for face in result.faces]
            found.add(result.path, result.sha256, faces)
        self.done()

    def _read_and_send(self, files: Sequence[Path]) -> list[_Result]:
        read = [read_photograph(file) for file in files]
        sent = iter(self._send([file for file in read if isinstance(file, PhotographFile)]))
        return [file if isinstance(file, LeftOut) else next(sent) for file in read]

    def _send(self, files: Sequence[PhotographFile]) -> list[_Result]:
        """Return a result for each photograph. If one makes the service refuse the request, send them one by one."""
        if not files:
            return []
        try:
            faces = self._embed(files)
        except RequestRefused as error:
            if len(files) == 1:
                return [refused_photograph(files[0].path, error)]
            if not (error.problem.get("image") or error.problem_code in SPLIT_CODES):
                raise
            return [result for file in files for result in self._send([file])]
        return [
            _SentFile(file.path, hashlib.sha256(file.data).hexdigest(), found)
            for file, found in zip(files, faces, strict=True)
        ]

    def _embed(self, files: Sequence[PhotographFile]) -> list[tuple[EmbeddedFace, ...]]:
        """Return the faces of each photograph."""
        answer = self.service.embed(*(file.data for file in files))
        if answer.model.id != self.model_id:
            raise ModelChanged
        require_all(files, answer.images)
        return [image.faces for image in answer.images]


def _parts(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the photographs of each request."""
    part: list[Path] = []
    size_bytes = 0
    for file in files:
        file_bytes = _size_bytes(file)
        if part and (len(part) == PHOTOGRAPHS_PER_REQUEST or size_bytes + file_bytes > BYTES_PER_REQUEST):
            yield part
            part, size_bytes = [], 0
        part.append(file)
        size_bytes += file_bytes
    if part:
        yield part


def _size_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
