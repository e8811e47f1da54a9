"""The faces of subjects: enrolment, and the references that it made."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from service.api import examples
from service.api.answers import BoxAnswer, ModelAnswer, warnings_of
from service.api.bodies import body_of
from service.api.body_schemas import request_body
from service.api.dependencies import ServicesDep
from service.api.fields import Id, NoOptions, Page
from service.api.gallery_answers import EnrolledFaceAnswer, EnrolmentAnswer, EnrolmentResult, FacesAnswer
from service.api.problems import answers
from service.api.refusals import NothingEnrolled
from service.api.requests import EnrolOptions, ImagesBody
from service.decisions.people import CHOICES, Enrolling, enrol
from service.errors import FaceError, KnownElsewhere
from service.galleries.base import Elsewhere, Enrolled, Known

router = APIRouter(prefix="/collections/{collection}", tags=["gallery"])
NoQuery = Annotated[NoOptions, Query()]


@router.get("/subjects/{subject}/faces", responses=answers(404, 422, 503))
async def list_faces(services: ServicesDep, collection: Id, subject: Id, page: Annotated[Page, Query()]) -> FacesAnswer:
    """All faces of a subject, by id."""
    found = await services.in_gallery(services.gallery.faces, collection, subject, page.limit, page.cursor)
    return FacesAnswer(items=[EnrolledFaceAnswer.of(face) for face in found.items], next_cursor=found.next_cursor)


@router.post(
    "/subjects/{subject}/faces",
    status_code=HTTPStatus.CREATED,
    openapi_extra=request_body(ImagesBody, examples.IMAGES),
    responses={
        200: {"model": EnrolmentAnswer, "description": "All of them are enrolled already"},
        **answers(400, 404, 409, 413, 415, 422, 503),
    },
)
async def enrol_faces(
    services: ServicesDep,
    collection: Id,
    subject: Id,
    body: Annotated[ImagesBody, Depends(body_of(ImagesBody))],
    options: Annotated[EnrolOptions, Query()],
    response: Response,
) -> EnrolmentAnswer:
    """Enrols one face of each image, all in one transaction. A refused image does not keep the others out.

    201 where any was stored, 200 where all are known already, 422 with the same `results` where none was stored.
    """
    with services.door.admit(len(body.images)):
        enrolled = await enrol(services.inputs, collection, subject, body.images, CHOICES[options.on_several])
    results = [_result(one) for one in enrolled]
    statuses = {result.status for result in results}
    if "enrolled" not in statuses and "refused" in statuses:
        raise NothingEnrolled(results)
    response.status_code = HTTPStatus.CREATED if "enrolled" in statuses else HTTPStatus.OK
    return EnrolmentAnswer(results=results, model=ModelAnswer.of(services.inputs.card))


@router.get("/faces/{face}", responses=answers(404, 422, 503))
async def get_face(services: ServicesDep, collection: Id, face: Id, _options: NoQuery) -> EnrolledFaceAnswer:
    """Whose face it is, and when it was enrolled."""
    return EnrolledFaceAnswer.of(await services.in_gallery(services.gallery.face, collection, face))


@router.delete("/faces/{face}", status_code=HTTPStatus.NO_CONTENT, responses=answers(404, 422, 503))
async def delete_face(services: ServicesDep, collection: Id, face: Id, _options: NoQuery) -> None:
    """Forgets one face."""
    await services.in_gallery(services.gallery.delete_face, collection, face)


def _result(one: Enrolling) -> EnrolmentResult:
    face = one.probe.faces[0] if one.probe else None
    seen = {
        "box": BoxAnswer.of(face.box) if face else None,
        "warnings": warnings_of(one.probe.notices) if one.probe else [],
    }
    match one.outcome:
        case Enrolled(face_id) | Known(face_id):
            return EnrolmentResult(status=one.outcome.status, face=face_id, code=None, detail=None, **seen)
        case Elsewhere(face_id):
            return _refused(KnownElsewhere(), face_id, seen)
        case FaceError():
            return _refused(one.outcome, None, seen)


def _refused(why: FaceError, face: str | None, seen: dict[str, Any]) -> EnrolmentResult:
    return EnrolmentResult(status="refused", face=face, code=why.code, detail=str(why), **seen)
