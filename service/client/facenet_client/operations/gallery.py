"""A collection with its subjects and faces."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import httpx

from facenet_client.calls import Call, Download, Listing, Sink, json_as, path_of, query, read_receipt
from facenet_client.images import Image, image_list
from facenet_client.operations.decisions import CalibrationSource
from facenet_client.operations.operation import Resource, Sends, downloaded, listed, sent
from facenet_client.schemas import (
    CalibrationAnswer,
    CollectionAnswer,
    EnrolledFaceAnswer,
    EnrolmentAnswer,
    FaceLine,
    FacesAnswer,
    LineResult,
    MergeAnswer,
    NewCalibrationAnswer,
    ReembeddingAnswer,
    SubjectAnswer,
    SubjectExport,
    SubjectsAnswer,
)

NDJSON = {"Content-Type": "application/x-ndjson"}


class Collection(Resource[Sends]):
    """A collection. It need not exist yet: `create` creates it.

    id: the id of the collection.
    """

    def __init__(self, transport: Sends, id: str) -> None:  # noqa: A002  # as in the answers
        super().__init__(transport)
        self.id = id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    @sent
    def create(self, *, expires_after_days: int | None = None) -> Call[CollectionAnswer]:
        """Create the collection. If it exists already, nothing changes.

        expires_after_days: faces, and subjects without faces, are deleted when they are this old. None: never.
        """
        body = {"expires_after_days": expires_after_days}
        return Call("PUT", self._path(), json_as(CollectionAnswer), {"json": body})

    @sent
    def info(self) -> Call[CollectionAnswer]:
        """Return how many subjects and faces the collection has, and the model that it is bound to."""
        return Call("GET", self._path(), json_as(CollectionAnswer))

    @sent
    def delete(self) -> Call[str | None]:
        """Delete the collection with its subjects and faces. Return the receipt of the deletion."""
        return Call("DELETE", self._path(), read_receipt)

    @sent
    def expire_after(self, days: int | None) -> Call[CollectionAnswer]:
        """Change at which age faces are deleted. None: never. What is older already is deleted at once."""
        body = {"expires_after_days": days}
        return Call("PATCH", self._path(), json_as(CollectionAnswer), {"json": body})

    @sent
    def use_calibration(self, calibration: CalibrationSource) -> Call[CollectionAnswer]:
        """Change whose error rates `identify` uses by default."""
        body = {"calibration": calibration}
        return Call("PATCH", self._path(), json_as(CollectionAnswer), {"json": body})

    @sent
    def measure_calibration(self) -> Call[NewCalibrationAnswer]:
        """Measure how often the subjects of the collection match each other, and store the result."""
        return Call("POST", self._path("calibration"), json_as(NewCalibrationAnswer))

    @sent
    def calibration(self) -> Call[CalibrationAnswer]:
        """Return the collection's own calibration, beside that of the model."""
        return Call("GET", self._path("calibration"), json_as(CalibrationAnswer))

    @sent
    def delete_calibration(self) -> Call[str | None]:
        """Delete the collection's own calibration."""
        return Call("DELETE", self._path("calibration"), read_receipt)

    @listed
    def subjects(self) -> Listing[SubjectAnswer]:
        """List all subjects, by id."""
        return Listing(self._path("subjects"), json_as(SubjectsAnswer))

    @sent
    def subject(self, subject: str) -> Call[SubjectAnswer]:
        """Return the name, the metadata and the number of faces of a subject."""
        return Call("GET", self._path("subjects", subject), json_as(SubjectAnswer))

    @sent
    def add_subject(
        self, subject: str | None = None, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Call[SubjectAnswer]:
        """Create a subject. An id that is taken is refused. Without one, the service makes an id."""
        body = {"id": subject, "name": name, "metadata": dict(metadata or {})}
        return Call("POST", self._path("subjects"), json_as(SubjectAnswer), {"json": body})

    @sent
    def put_subject(
        self, subject: str, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Call[SubjectAnswer]:
        """Create a subject, or replace the name and the metadata of an existing one. Its faces stay."""
        body = {"name": name, "metadata": dict(metadata or {})}
        return self._change(subject, "PUT", body)

    @sent
    def rename(self, subject: str, name: str | None) -> Call[SubjectAnswer]:
        """Change the name of a subject. Its id and its metadata stay."""
        return self._change(subject, "PATCH", {"name": name})

    @sent
    def describe(self, subject: str, metadata: Mapping[str, Any]) -> Call[SubjectAnswer]:
        """Replace the metadata of a subject. Its name stays."""
        return self._change(subject, "PATCH", {"metadata": dict(metadata)})

    @sent
    def merge(self, source: str, *, into: str) -> Call[MergeAnswer]:
        """Move all faces of the subject `source` to the subject `into`, and delete `source`."""
        path = self._path("subjects", into, "merge")
        return Call("POST", path, json_as(MergeAnswer), {"json": {"from": source}})

    @sent
    def delete_subject(self, subject: str) -> Call[str | None]:
        """Delete a subject and all its faces. Return the receipt of the deletion."""
        return Call("DELETE", self._path("subjects", subject), read_receipt)

    @sent
    def export_subject(self, subject: str) -> Call[SubjectExport]:
        """Return all that is stored about a subject (GDPR, article 15)."""
        return Call("GET", self._path("subjects", subject, "export"), json_as(SubjectExport))

    @sent
    def enrol(
        self,
        subject: str,
        *images: Image,
        on_several: Literal["refuse", "main"] | None = None,
        min_quality: float | None = None,
    ) -> Call[EnrolmentAnswer]:
        """Enrol one face of each image for a subject that exists. A refused image does not stop the others.

        If nothing was enrolled and an image was refused, RequestRefused is raised with the code `nothing_enrolled`.

        on_several: `main` takes the main face of a photograph of several people. By default it is refused.
        min_quality: the least quality score of a face. Default: that of the model. 0: every face is taken.
        """
        parts = query(on_several=on_several, min_quality=min_quality) | image_list(images)
        return Call("POST", self._path("subjects", subject, "faces"), json_as(EnrolmentAnswer), parts)

    @sent
    def enrol_embeddings(self, faces: Iterable[FaceLine]) -> Call[tuple[LineResult, ...]]:
        """Enrol embeddings that you have, at most 50,000. Subjects that do not exist are created.

        The result has one line for each face, in the same order. A refused line does not stop the others.
        """
        lines = "".join(f"{face.model_dump_json(exclude_unset=True)}\n" for face in faces)
        return Call("POST", self._path("faces"), read_results, {"content": lines.encode(), "headers": NDJSON})

    @listed
    def faces(self, subject: str) -> Listing[EnrolledFaceAnswer]:
        """List all faces of a subject, by id."""
        return Listing(self._path("subjects", subject, "faces"), json_as(FacesAnswer))

    @sent
    def face(self, face: str) -> Call[EnrolledFaceAnswer]:
        """Return whose face it is, and when it was enrolled."""
        return Call("GET", self._path("faces", face), json_as(EnrolledFaceAnswer))

    @sent
    def move(self, face: str, *, to: str) -> Call[EnrolledFaceAnswer]:
        """Move a face to another subject of the collection."""
        return Call("PATCH", self._path("faces", face), json_as(EnrolledFaceAnswer), {"json": {"subject": to}})

    @sent
    def delete_face(self, face: str) -> Call[str | None]:
        """Delete one face. Return the receipt of the deletion."""
        return Call("DELETE", self._path("faces", face), read_receipt)

    @sent
    def crop(self, face: str) -> Call[bytes]:
        """Return the part of the photograph around a face, as a JPEG, if the service keeps it (`has_crop`)."""
        return Call("GET", self._path("faces", face, "crop"), lambda response: response.content)

    @sent
    def delete_crops(self) -> Call[str | None]:
        """Delete the kept crops of all faces. The faces stay."""
        return Call("DELETE", self._path("crops"), read_receipt)

    @sent
    def begin_reembedding(self) -> Call[ReembeddingAnswer]:
        """Begin to embed the faces by the other loaded model, from their kept crops. The service goes on with it."""
        return Call("POST", self._path("reembedding"), json_as(ReembeddingAnswer))

    @sent
    def reembedding(self) -> Call[ReembeddingAnswer]:
        """Return how many faces have an embedding by the other model."""
        return Call("GET", self._path("reembedding"), json_as(ReembeddingAnswer))

    @sent
    def end_reembedding(self) -> Call[str | None]:
        """Delete the embeddings by the other model."""
        return Call("DELETE", self._path("reembedding"), read_receipt)

    @sent
    def change_model(self, model: str, *, delete_missing: bool | None = None) -> Call[CollectionAnswer]:
        """Use the embeddings by the other model from now on.

        model: its id. delete_missing: True deletes the faces that it cannot embed, for good.
        """
        options = query(model=model, delete_missing=delete_missing)
        return Call("PUT", self._path("model"), json_as(CollectionAnswer), options)

    @downloaded
    def export(self, target: Sink) -> Download:
        """Write the whole collection to a file that is opened with "wb", as lines of JSON. They hold embeddings."""
        return Download("GET", self._path("export"), target)

    def _path(self, *parts: str) -> str:
        return path_of("collections", self.id, *parts)

    def _change(self, subject: str, method: str, body: dict[str, Any]) -> Call[SubjectAnswer]:
        return Call(method, self._path("subjects", subject), json_as(SubjectAnswer), {"json": body})


def read_results(response: httpx.Response) -> tuple[LineResult, ...]:
    """Read the answer of an enrolment of embeddings. Raises ValueError."""
    return tuple(LineResult.model_validate_json(line) for line in response.content.splitlines())
