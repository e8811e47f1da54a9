"""The people of a benchmark: their enrolled faces, and probes of them and of strangers."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.gallery.face_shape import FaceShape
from service.domain.embedding import Embeddings

FACES_OF_A_PERSON = 10


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPeople:
    """People of a collection, with FACES_OF_A_PERSON faces each, and real people after them.

    centres: (n, d) float32, of the people that were drawn.
    faces: (m, d) float32, unit length, person by person: n * FACES_OF_A_PERSON that were drawn, and then real ones.
    real_people: the person of each real face.
    """

    centres: Embeddings
    faces: Embeddings
    real_people: NDArray[np.int64]

    @classmethod
    def draw(cls, shape: FaceShape, faces: int, seed: int) -> "EnrolledPeople":
        """Draw people with this number of faces together."""
        centres = shape.draw_people(faces // FACES_OF_A_PERSON, seed)
        return cls(centres, shape.draw_faces(centres, FACES_OF_A_PERSON, seed + 1), np.empty(0, np.int64))

    def with_real_people(self, shape: FaceShape) -> "EnrolledPeople":
        """Add the people whose embeddings gave the shape, each without the last face."""
        enrolled = ~_is_last_of_person(shape.people)
        return replace(
            self, faces=np.concatenate([self.faces, shape.embeddings[enrolled]]), real_people=shape.people[enrolled]
        )

    def subject(self, row: int) -> str:
        """Return the id of the person of an enrolled face."""
        drawn = len(self.centres) * FACES_OF_A_PERSON
        return f"p{row // FACES_OF_A_PERSON}" if row < drawn else f"real{self.real_people[row - drawn]}"

    def lines(self, model: str) -> Iterator[bytes]:
        """Yield a line for each face, as POST /collections/{c}/faces takes it. model: the id of the model."""
        for row, face in enumerate(self.faces):
            text = base64.b64encode(face.astype("<f4").tobytes()).decode()
            yield json.dumps({"subject": self.subject(row), "model": model, "embedding_base64": text}).encode() + b"\n"


def draw_probes(shape: FaceShape, enrolled: EnrolledPeople, count: int, seed: int) -> tuple[Embeddings, Embeddings]:
    """Return new faces of enrolled people, and faces of strangers, (count, d) float32 each."""
    chosen = np.random.default_rng(seed).choice(len(enrolled.centres), count, replace=len(enrolled.centres) < count)
    mated = shape.draw_faces(enrolled.centres[chosen], 1, seed + 1)
    return mated, shape.draw_faces(shape.draw_people(count, seed + 2), 1, seed + 3)


def real_probes(shape: FaceShape) -> Embeddings:
    """Return the last face of each real person. It is not enrolled."""
    return shape.embeddings[_is_last_of_person(shape.people)]


def _is_last_of_person(people: NDArray[np.int64]) -> NDArray[np.bool_]:
    """people: (n,), person by person."""
    return np.append(people[1:] != people[:-1], True)


def identify_body(probe: NDArray[np.float32], model: str) -> bytes:
    """Return the body of POST /identify with an embedding."""
    return json.dumps({"image": {"embedding": [float(f"{x:.9g}") for x in probe], "model": model}}).encode()
