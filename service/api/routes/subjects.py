"""The subjects of a collection: people, who have faces."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from service.api import examples
from service.api.bodies import json_body_of
from service.api.body_schemas import json_request_body
from service.api.dependencies import ServicesDep
from service.api.fields import Id, NoOptions, Page
from service.api.gallery_answers import SubjectAnswer, SubjectsAnswer
from service.api.problems import answers
from service.api.requests import NewSubject, SubjectFields
from service.galleries import base

router = APIRouter(prefix="/collections/{collection}/subjects", tags=["gallery"])
NoQuery = Annotated[NoOptions, Query()]
FieldsBody = Annotated[SubjectFields, Depends(json_body_of(SubjectFields))]


@router.get("", responses=answers(404, 422, 503))
async def list_subjects(services: ServicesDep, collection: Id, page: Annotated[Page, Query()]) -> SubjectsAnswer:
    """All subjects of a collection, by id."""
    found = await services.in_gallery(services.gallery.subjects, collection, page.limit, page.cursor)
    return SubjectsAnswer(items=[SubjectAnswer.of(subject) for subject in found.items], next_cursor=found.next_cursor)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    openapi_extra=json_request_body(NewSubject, examples.NEW_SUBJECT),
    responses=answers(400, 404, 409, 413, 415, 422, 503),
)
async def create_subject(
    services: ServicesDep,
    collection: Id,
    body: Annotated[NewSubject, Depends(json_body_of(NewSubject))],
    _options: NoQuery,
) -> SubjectAnswer:
    """Creates a subject. An id is made where none is given; one that is taken is 409."""
    new = base.NewSubject(body.id, body.name, body.metadata)
    return SubjectAnswer.of(await services.in_gallery(services.gallery.create_subject, collection, new))


@router.get("/{subject}", responses=answers(404, 422, 503))
async def get_subject(services: ServicesDep, collection: Id, subject: Id, _options: NoQuery) -> SubjectAnswer:
    """What is known of a subject."""
    return SubjectAnswer.of(await services.in_gallery(services.gallery.subject, collection, subject))


@router.put(
    "/{subject}",
    openapi_extra=json_request_body(SubjectFields, examples.SUBJECT),
    responses={
        201: {"model": SubjectAnswer, "description": "Created"},
        **answers(400, 404, 413, 415, 422, 503),
    },
)
async def put_subject(
    services: ServicesDep, collection: Id, subject: Id, body: FieldsBody, _options: NoQuery, response: Response
) -> SubjectAnswer:
    """Creates a subject (201) or replaces what is known of them (200); their faces stay."""
    found, is_new = await services.in_gallery(
        services.gallery.put_subject, collection, subject, body.name, body.metadata
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return SubjectAnswer.of(found)


@router.patch(
    "/{subject}",
    openapi_extra=json_request_body(SubjectFields, examples.SUBJECT),
    responses=answers(400, 404, 413, 415, 422, 503),
)
async def change_subject(
    services: ServicesDep, collection: Id, subject: Id, body: FieldsBody, _options: NoQuery
) -> SubjectAnswer:
    """Changes the fields that are given."""
    changes: base.SubjectChanges = {}
    if "name" in body.model_fields_set:
        changes["name"] = body.name
    if "metadata" in body.model_fields_set:
        changes["metadata"] = body.metadata
    return SubjectAnswer.of(await services.in_gallery(services.gallery.change_subject, collection, subject, changes))


@router.delete("/{subject}", status_code=HTTPStatus.NO_CONTENT, responses=answers(404, 422, 503))
async def delete_subject(services: ServicesDep, collection: Id, subject: Id, _options: NoQuery) -> None:
    """Forgets a subject with all their faces."""
    await services.in_gallery(services.gallery.delete_subject, collection, subject)
