"""The subjects of a collection. A subject is a person, and has faces."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from service.api.bodies import json_body_of
from service.api.dependencies import CollectionPath, NoQuery, ServicesDep, SubjectPath
from service.api.openapi.examples import MERGE_EXAMPLE, NEW_SUBJECT_EXAMPLE, SUBJECT_EXAMPLE, json_request_body
from service.api.openapi.refusals import IN_COLLECTION, OF_CHANGE, OF_SUBJECT, refusals
from service.api.schemas.fields import PageOptions
from service.api.schemas.subjects import (
    MergeAnswer,
    MergeBody,
    NewSubject,
    SubjectAnswer,
    SubjectFields,
    SubjectsAnswer,
)
from service.domain import errors
from service.gallery.base import SubjectChanges, SubjectToCreate

router = APIRouter(prefix="/collections/{collection}/subjects", tags=["subjects"])
FieldsBody = Annotated[SubjectFields, Depends(json_body_of(SubjectFields))]


@router.get("", responses=refusals(*IN_COLLECTION))
async def list_subjects(
    services: ServicesDep, collection: CollectionPath, page: Annotated[PageOptions, Query()]
) -> SubjectsAnswer:
    """List all subjects of a collection, by id."""
    found = await services.gallery.list_subjects(collection, page.limit, page.cursor)
    return SubjectsAnswer(items=[SubjectAnswer.of(subject) for subject in found.items], next_cursor=found.next_cursor)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    openapi_extra=json_request_body(NewSubject, NEW_SUBJECT_EXAMPLE),
    responses=refusals(*IN_COLLECTION, errors.SubjectExists, *OF_CHANGE),
)
async def create_subject(
    services: ServicesDep,
    collection: CollectionPath,
    body: Annotated[NewSubject, Depends(json_body_of(NewSubject))],
    _options: NoQuery,
) -> SubjectAnswer:
    """Create a subject. Without an id, the service makes one. An id that is taken is refused: 409."""
    new = SubjectToCreate(body.id, body.name, body.metadata)
    return SubjectAnswer.of(await services.gallery.create_subject(collection, new))


@router.get("/{subject}", responses=refusals(*OF_SUBJECT))
async def get_subject(
    services: ServicesDep, collection: CollectionPath, subject: SubjectPath, _options: NoQuery
) -> SubjectAnswer:
    """Show a subject: its name, its metadata, and how many faces it has."""
    return SubjectAnswer.of(await services.gallery.get_subject(collection, subject))


@router.put(
    "/{subject}",
    openapi_extra=json_request_body(SubjectFields, SUBJECT_EXAMPLE),
    responses={
        201: {"model": SubjectAnswer, "description": "Created"},
        **refusals(*IN_COLLECTION, *OF_CHANGE),
    },
)
async def put_subject(
    services: ServicesDep,
    collection: CollectionPath,
    subject: SubjectPath,
    body: FieldsBody,
    _options: NoQuery,
    response: Response,
) -> SubjectAnswer:
    """Create or replace a subject. 201: it is new. 200: its fields were replaced, and its faces stay."""
    found, is_new = await services.gallery.put_subject(collection, subject, body.name, body.metadata)
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return SubjectAnswer.of(found)


@router.patch(
    "/{subject}",
    openapi_extra=json_request_body(SubjectFields, SUBJECT_EXAMPLE),
    responses=refusals(*OF_SUBJECT, *OF_CHANGE),
)
async def change_subject(
    services: ServicesDep, collection: CollectionPath, subject: SubjectPath, body: FieldsBody, _options: NoQuery
) -> SubjectAnswer:
    """Change a subject: the fields that are sent. The others stay as they are."""
    changes: SubjectChanges = {}
    if "name" in body.model_fields_set:
        changes["name"] = body.name
    if "metadata" in body.model_fields_set:
        changes["metadata"] = body.metadata
    return SubjectAnswer.of(await services.gallery.change_subject(collection, subject, changes))


@router.post(
    "/{subject}/merge",
    openapi_extra=json_request_body(MergeBody, MERGE_EXAMPLE),
    responses=refusals(*OF_SUBJECT, errors.InvalidOption, *OF_CHANGE),
)
async def merge_subjects(
    services: ServicesDep,
    collection: CollectionPath,
    subject: SubjectPath,
    body: Annotated[MergeBody, Depends(json_body_of(MergeBody))],
    _options: NoQuery,
) -> MergeAnswer:
    """Merge two subjects: move all faces of `from` to this subject, and delete `from`, in one transaction.

    This subject keeps its name and its metadata; those of `from` are deleted. No face is stored twice: a photograph is
    enrolled once in a collection. A second call is 404, because `from` no longer exists.
    """
    merged, moved = await services.gallery.merge_subjects(collection, subject, body.source)
    return MergeAnswer(subject=SubjectAnswer.of(merged), moved=moved)


@router.delete("/{subject}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(*OF_SUBJECT, *OF_CHANGE))
async def delete_subject(
    services: ServicesDep, collection: CollectionPath, subject: SubjectPath, _options: NoQuery
) -> None:
    """Delete a subject and all its faces.

    They are overwritten on the disk before the answer. What the database may still hold of them in unused bytes is
    removed within a minute, or later in a large gallery. `face_gallery_remains` in /metrics is 0 when this is done.
    """
    await services.gallery.delete_subject(collection, subject)
