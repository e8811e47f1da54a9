"""All that is stored about one subject, and all of a collection as the lines of a file, out and in."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from service.api.bodies import NDJSON, Line, Lines, describe_line_errors, lines_of_body
from service.api.dependencies import CollectionPath, NoQuery, ServicesDep, SubjectPath
from service.api.openapi.examples import FILE_EXAMPLE, lines_request_body, lines_response
from service.api.openapi.refusals import IN_COLLECTION, OF_CHANGE, OF_SUBJECT, refusals
from service.api.schemas.collections import (
    FILE_LINE,
    ChecksumLine,
    CollectionLine,
    EndLine,
    FileLine,
    ImportAnswer,
    MovedFaceLine,
    SubjectLine,
)
from service.api.schemas.fields import Body
from service.api.schemas.subjects import SubjectExport, export_parts
from service.domain import errors
from service.domain.errors import InvalidImport, InvalidLine
from service.domain.waiting import current_client
from service.gallery.backup.collection_export import CollectionExport
from service.gallery.records.statements.moving.values import FileCounts, ImportPart

MAX_LINES = 5_000
"""How many lines a part may have. It is one transaction, and other changes wait for it."""

router = APIRouter(prefix="/collections/{collection}", tags=["export"])


@router.get(
    "/subjects/{subject}/export",
    response_class=StreamingResponse,
    response_model=None,
    responses={200: {"model": SubjectExport}, **refusals(*OF_SUBJECT)},
)
async def export_subject(
    services: ServicesDep, collection: CollectionPath, subject: SubjectPath, _options: NoQuery
) -> StreamingResponse:
    """Return all that is stored about a subject: fields, faces with embeddings and crops, lines of the audit log.

    The subject and the faces are as they were at one moment. A crop that is deleted meanwhile, and lines of the last
    second, can be missing.
    """
    stored = await services.gallery.stored_subject(collection, subject)
    lines = services.audit.lines_about(collection, subject)
    parts = export_parts(collection, stored, lines, partial(services.gallery.reembeddings.crop, collection))
    headers = {"Content-Disposition": 'attachment; filename="subject.json"'}
    return StreamingResponse(parts, headers=headers, media_type="application/json")


@router.get(
    "/export",
    response_class=StreamingResponse,
    response_model=None,
    responses={
        200: lines_response(CollectionLine, "The lines of the collection's file"),
        **refusals(*IN_COLLECTION),
    },
)
async def export_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> StreamingResponse:
    """Return all of a collection as the lines of a file: its fields, its subjects, and its faces with embeddings.

    A change that is made meanwhile may be in it or not. If the answer ends without a line of the type `end`, it is not
    complete. `facenet export` writes and checks the file, and `facenet import` imports it elsewhere.
    """
    export = services.gallery.export(collection)
    first = await export.next_part()
    headers = {"Content-Disposition": 'attachment; filename="collection.ndjson"'}
    return StreamingResponse(_parts(first, export), headers=headers, media_type=NDJSON)


@router.post(
    "/import",
    openapi_extra=lines_request_body(CollectionLine, FILE_EXAMPLE),
    responses=refusals(
        *IN_COLLECTION,
        errors.CollectionNotEmpty,
        errors.FacesExist,
        errors.ImportOutOfOrder,
        errors.InvalidImport,
        *OF_CHANGE,
    ),
)
async def import_collection(
    services: ServicesDep,
    collection: CollectionPath,
    lines: Annotated[Lines, Depends(lines_of_body)],
    _options: NoQuery,
) -> ImportAnswer:
    """Store one part of a collection's file: some lines, and the line with their checksum. `facenet import` calls this.

    Send the parts in their order, at most 5,000 lines each. The collection must not exist, or be empty. It is searched
    when its last part is stored. Each part is one transaction, so a part is stored as a whole or not at all.

    After an interruption, send the first part again: nothing is stored twice, and `checksum` says where to continue.
    """
    part = await services.lines.run(read_part, lines)
    return ImportAnswer.of(await services.gallery.imports.store(collection, part))


def read_part(body: Lines) -> ImportPart:
    """Read and check the lines of a part. Raises InvalidImport. It repeats nothing of the lines."""
    if body.count > MAX_LINES + 1:
        raise InvalidImport(f"A part has at most {MAX_LINES:,} lines, and one with a checksum.")
    read = [_read_line(line) for block in body.blocks() for line in block]
    end = read[-1] if read else None
    if not isinstance(end, ChecksumLine | EndLine) or not body.data.endswith(b"\n"):
        raise InvalidImport("The last line of a part has a checksum, and ends with a line break.")
    first = read[0] if isinstance(read[0], CollectionLine) else None
    inner = read[1:-1] if first else read[:-1]
    subjects = [line for line in inner if isinstance(line, SubjectLine)]
    faces = [line for line in inner if isinstance(line, MovedFaceLine)]
    if len(subjects) + len(faces) != len(inner):
        raise InvalidImport("Between the first and the last line of a part, there are subjects and faces only.")
    try:
        fields = None if first is None else first.to_fields()
        moved = [face.to_face() for face in faces]
    except InvalidLine as error:
        raise InvalidImport(str(error)) from None
    counts = FileCounts(end.subjects, end.faces) if isinstance(end, EndLine) else None
    start_of_end = body.data.rstrip(b"\n").rfind(b"\n") + 1
    stored = [line.to_subject() for line in subjects]
    return ImportPart(body.data[:start_of_end], end.sha256, fields, stored, moved, counts)


def _read_line(line: Line) -> FileLine:
    if line.data is None:
        raise InvalidImport(f"Line {line.number} of the part is too long.")
    try:
        return FILE_LINE.validate_json(line.data)
    except ValidationError as error:
        faults = describe_line_errors(error, Body)  # which kind of line it should be is not known
    # Raised here, and not above, where the new error would keep the other one, with all that was read of the line.
    raise InvalidImport(f"Line {line.number} of the part: {faults}")


async def _parts(first: bytes, export: CollectionExport) -> AsyncIterator[bytes]:
    """Yield all parts, as long as a client waits for them."""
    client, part = current_client(), first
    while part and (client is None or client.waits):
        yield part
        part = await export.next_part()
