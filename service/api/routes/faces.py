"""The faces of subjects: enrol, show, move and delete them."""

from collections.abc import Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from service.api.bodies import NDJSON, Line, Lines, body_of, json_body_of, lines_of_body, read_face_line
from service.api.dependencies import CollectionPath, FacePath, NoQuery, ServicesDep, SubjectPath
from service.api.errors.http_errors import NothingEnrolled
from service.api.openapi.examples import (
    FACE_EXAMPLE,
    IMAGES_EXAMPLE,
    LINES_EXAMPLE,
    json_request_body,
    lines_request_body,
    lines_response,
    request_body,
)
from service.api.openapi.refusals import IN_COLLECTION, OF_CHANGE, OF_FACE, OF_IMAGES, OF_SUBJECT, refusals
from service.api.schemas.faces import (
    EnrolledFaceAnswer,
    EnrolmentAnswer,
    EnrolmentResult,
    EnrolOptions,
    FaceFields,
    FaceLine,
    FacesAnswer,
    LineResult,
)
from service.api.schemas.fields import PageOptions
from service.api.schemas.images import ImagesBody
from service.api.schemas.responses import BoxAnswer, ModelAnswer, QualityAnswer, warnings_of
from service.decisions.bulk_enrol import BulkEnrolment, BulkOutcome
from service.decisions.enrol import ON_SEVERAL, EnrolmentRules, ImageEnrolment, enrol
from service.decisions.two_models import decide
from service.domain import access_errors, errors
from service.domain.errors import EnrolledElsewhere, FacenetError
from service.gallery.base import EnrolledBefore, EnrolledForAnother, EnrolledNow
from service.observability.thread_turns import TURNS
from service.pipeline.round_robin import NoThreads

FEW_LINES, FEW_BYTES = 16, 2**14
"""So few lines are read on the event loop. It takes less than 2 ms, whatever they are. A hand-over takes as long."""

router = APIRouter(prefix="/collections/{collection}", tags=["faces"])


@router.get("/subjects/{subject}/faces", responses=refusals(*OF_SUBJECT))
async def list_faces(
    services: ServicesDep, collection: CollectionPath, subject: SubjectPath, page: Annotated[PageOptions, Query()]
) -> FacesAnswer:
    """List all faces of a subject, by id."""
    found = await services.gallery.list_faces(collection, subject, page.limit, page.cursor)
    return FacesAnswer(items=[EnrolledFaceAnswer.of(face) for face in found.items], next_cursor=found.next_cursor)


@router.post(
    "/subjects/{subject}/faces",
    status_code=HTTPStatus.CREATED,
    openapi_extra=request_body(ImagesBody, IMAGES_EXAMPLE),
    responses={
        200: {"model": EnrolmentAnswer, "description": "All images are enrolled already"},
        **refusals(NothingEnrolled, *OF_IMAGES, *OF_CHANGE),
    },
)
async def enrol_faces(
    services: ServicesDep,
    collection: CollectionPath,
    subject: SubjectPath,
    body: Annotated[ImagesBody, Depends(body_of(ImagesBody))],
    options: Annotated[EnrolOptions, Query()],
    response: Response,
) -> EnrolmentAnswer:
    """Enrol one face of each image, all in one transaction. If an image is refused, the others are still enrolled.

    201: at least one face was stored. 200: all images are enrolled already. 422: nothing was stored, and at least one
    image was refused. A 422 has the same `results`.
    """
    with services.admission.admit(len(body.images)):
        rules = EnrolmentRules(ON_SEVERAL[options.on_several], options.min_quality)
        enrolments, probes = await decide(
            partial(services.models.of_collection, collection),
            lambda probes: enrol(probes, collection, subject, body.images, rules),
        )
    results = [_result(enrolment) for enrolment in enrolments]
    statuses = {result.status for result in results}
    if "enrolled" not in statuses and "refused" in statuses:
        raise NothingEnrolled(results)
    response.status_code = HTTPStatus.CREATED if "enrolled" in statuses else HTTPStatus.OK
    return EnrolmentAnswer(results=results, model=ModelAnswer.of(probes.card))


@router.post(
    "/faces",
    response_class=Response,
    response_model=None,
    openapi_extra=lines_request_body(FaceLine, LINES_EXAMPLE),
    responses={
        200: lines_response(LineResult, "A result for each line, in the order of the lines"),
        **refusals(errors.ModelMismatch, access_errors.QuotaUsed, *IN_COLLECTION, *OF_CHANGE),
    },
)
async def enrol_embeddings(
    services: ServicesDep,
    collection: CollectionPath,
    lines: Annotated[Lines, Depends(lines_of_body)],
    _options: NoQuery,
) -> Response:
    """Enrol many embeddings at once. Each line of the body is a `FaceLine`, each line of the answer a `LineResult`.

    A subject that does not exist is created. `name` and `metadata` are used only then: a subject that exists keeps its
    own. Blank lines have no result. A refused line does not stop the others, and changes nothing. About 2,500 lines are
    one transaction. The answer comes when all are durable.

    It is safe to send the same lines again. A face is known by the sha256 of its embedding (float32, little-endian, of
    unit length), because there is no photograph. A known face is not stored again.

    At most 50,000 lines, and 131,072 bytes a line. Each line counts as an image for the access key.
    """
    services.admission.count(lines.count)
    is_short = lines.count <= FEW_LINES and len(lines.data) <= FEW_BYTES
    threads = NoThreads() if is_short else services.lines
    turns = nullcontext() if is_short else TURNS.short()
    probes = await services.models.of_collection(collection)
    enrolment = BulkEnrolment(probes, threads, collection, read_face_line)
    answer = bytearray()
    with turns:
        async with aclosing(enrolment.run(lines.blocks())) as enrolled:
            async for block, outcomes in enrolled:
                answer += await threads.run(_result_lines, block, outcomes)
    return Response(bytes(answer), media_type=NDJSON)


@router.get("/faces/{face}", responses=refusals(*OF_FACE))
async def get_face(
    services: ServicesDep, collection: CollectionPath, face: FacePath, _options: NoQuery
) -> EnrolledFaceAnswer:
    """Show an enrolled face: whose it is, and when it was enrolled."""
    return EnrolledFaceAnswer.of(await services.gallery.get_face(collection, face))


@router.get(
    "/faces/{face}/crop",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        **refusals(*OF_FACE, errors.CropNotFound),
    },
)
async def get_crop(services: ServicesDep, collection: CollectionPath, face: FacePath, _options: NoQuery) -> Response:
    """Return the part of the photograph around an enrolled face, if it is kept: a JPEG of at most 512 pixels a side.

    `has_crop` of a face says whether it is. `FACE_GALLERY__KEEP_CROPS=yes` keeps the crops of new faces.
    """
    kept = await services.gallery.get_crop(collection, face)
    return Response(kept.picture, media_type="image/jpeg")


@router.delete("/crops", status_code=HTTPStatus.NO_CONTENT, responses=refusals(*IN_COLLECTION, *OF_CHANGE))
async def delete_crops(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete the kept crops of all faces of a collection. The faces stay, and are found as before."""
    await services.gallery.delete_crops(collection)


@router.patch(
    "/faces/{face}",
    openapi_extra=json_request_body(FaceFields, FACE_EXAMPLE),
    responses=refusals(*OF_FACE, errors.SubjectNotFound, *OF_CHANGE),
)
async def move_face(
    services: ServicesDep,
    collection: CollectionPath,
    face: FacePath,
    body: Annotated[FaceFields, Depends(json_body_of(FaceFields))],
    _options: NoQuery,
) -> EnrolledFaceAnswer:
    """Move a face to another subject of the collection. The next search names this subject.

    Everything else of the face stays: its id, its embedding, and the time of its enrolment. If it is a face of this
    subject already, nothing changes. The former subject stays too, even without a face. There is no conflict with the
    faces of the new subject: a photograph is enrolled once in a collection.
    """
    return EnrolledFaceAnswer.of(await services.gallery.move_face(collection, face, body.subject))


@router.delete("/faces/{face}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(*OF_FACE, *OF_CHANGE))
async def delete_face(services: ServicesDep, collection: CollectionPath, face: FacePath, _options: NoQuery) -> None:
    """Delete one face and its embedding."""
    await services.gallery.delete_face(collection, face)


def _result(enrolment: ImageEnrolment) -> EnrolmentResult:
    probe, outcome = enrolment.probe, enrolment.outcome
    face = probe.faces[0] if probe else None
    image_fields = {
        "box": BoxAnswer.of(face.box) if face else None,
        "quality": QualityAnswer.of(face.quality) if face and face.quality else None,
        "warnings": warnings_of(probe.notices) if probe else [],
    }
    match outcome:
        case EnrolledNow(face_id) | EnrolledBefore(face_id):
            return EnrolmentResult(status=outcome.status, face=face_id, code=None, detail=None, **image_fields)
        case EnrolledForAnother(face_id):
            return _refused(EnrolledElsewhere(), face_id, image_fields)
        case FacenetError():
            return _refused(outcome, None, image_fields)


def _result_lines(block: Sequence[Line], outcomes: Sequence[BulkOutcome]) -> bytes:
    return b"".join(_line_result(line, outcome).to_line() for line, outcome in zip(block, outcomes, strict=True))


def _line_result(line: Line, outcome: BulkOutcome) -> LineResult:
    match outcome:
        case EnrolledNow(face_id) | EnrolledBefore(face_id):
            return LineResult(line=line.number, status=outcome.status, face=face_id)
        case EnrolledForAnother(face_id):
            elsewhere = EnrolledElsewhere()
            fields = {"face": face_id, "code": elsewhere.code, "detail": str(elsewhere)}
        case FacenetError():
            fields = {"code": outcome.code, "detail": str(outcome)}
    return LineResult(line=line.number, status="refused", **fields)


def _refused(error: FacenetError, face_id: str | None, image_fields: dict[str, Any]) -> EnrolmentResult:
    return EnrolmentResult(status="refused", face=face_id, code=error.code, detail=str(error), **image_fields)
