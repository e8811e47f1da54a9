"""Collections. Each is a gallery of its own: a search is in one collection."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from service.api.bodies import json_body_of, optional_json_body_of
from service.api.dependencies import CollectionPath, NoQuery, Services, ServicesDep
from service.api.openapi.examples import EXPIRY_EXAMPLE, json_request_body
from service.api.problems import problem_responses
from service.api.schemas.collections import (
    CalibrationAnswer,
    CollectionAnswer,
    CollectionChanges,
    CollectionFields,
    CollectionsAnswer,
    NewCalibrationAnswer,
)
from service.api.schemas.fields import PageOptions
from service.decisions.error_rates.collection_calibration import measure_collection
from service.gallery import base

router = APIRouter(prefix="/collections", tags=["gallery"])


@router.get("", responses=problem_responses(422, 503))
async def list_collections(services: ServicesDep, page: Annotated[PageOptions, Query()]) -> CollectionsAnswer:
    """List all collections, by id."""
    found = await services.gallery.list_collections(page.limit, page.cursor)
    return CollectionsAnswer(
        items=[_answer(services, collection) for collection in found.items], next_cursor=found.next_cursor
    )


@router.put(
    "/{collection}",
    openapi_extra=json_request_body(CollectionFields, EXPIRY_EXAMPLE, required=False),
    responses={
        201: {"model": CollectionAnswer, "description": "Created"},
        **problem_responses(400, 408, 413, 415, 422, 503),
    },
)
async def create_collection(
    services: ServicesDep,
    collection: CollectionPath,
    body: Annotated[CollectionFields | None, Depends(optional_json_body_of(CollectionFields))],
    _options: NoQuery,
    response: Response,
) -> CollectionAnswer:
    """Create a collection (201). If it exists already, nothing changes (200).

    With `expires_after_days`, faces of this age are deleted, with all that belongs to them. So are subjects of this age
    that have no face. PATCH changes it later.
    """
    days = body.expires_after_days if body else None
    found, is_new = await services.gallery.create_collection(collection, days)
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return _answer(services, found)


@router.patch(
    "/{collection}",
    openapi_extra=json_request_body(CollectionChanges, EXPIRY_EXAMPLE),
    responses=problem_responses(400, 404, 408, 413, 415, 422, 503),
)
async def change_collection(
    services: ServicesDep,
    collection: CollectionPath,
    body: Annotated[CollectionChanges, Depends(json_body_of(CollectionChanges))],
    _options: NoQuery,
) -> CollectionAnswer:
    """Change at which age faces are deleted, and which calibration /identify uses by default.

    What is older already is deleted at once. A field that is not sent stays as it is.
    """
    changes: base.CollectionChanges = {}
    if "calibration" in body.model_fields_set:
        changes["calibration"] = body.calibration
    if "expires_after_days" in body.model_fields_set:
        changes["expires_after_days"] = body.expires_after_days
    return _answer(services, await services.gallery.change_collection(collection, changes))


@router.get("/{collection}", responses=problem_responses(404, 422, 503))
async def get_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> CollectionAnswer:
    """Show how many subjects and faces a collection has, the model that it is bound to, and its index."""
    return _answer(services, await services.gallery.get_collection(collection))


@router.delete("/{collection}", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(404, 422, 503))
async def delete_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete a collection with its subjects and faces. If it is `default`, it is created again at once, empty."""
    await services.gallery.delete_collection(collection)


@router.post("/{collection}/calibration", responses=problem_responses(404, 409, 422, 503))
async def measure_calibration(
    services: ServicesDep, collection: CollectionPath, _options: NoQuery
) -> NewCalibrationAnswer:
    """Measure how often the subjects of the collection match each other. The result replaces the one before.

    /identify uses it with ?calibration=own, or if the collection is set to it.
    """
    found = await measure_collection(services.probes, collection, services.clustering)
    faces = await services.gallery.count_faces(collection)
    return NewCalibrationAnswer.of_new(found, services.card, faces)


@router.get("/{collection}/calibration", responses=problem_responses(404, 422, 503))
async def get_calibration(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> CalibrationAnswer:
    """Show the collection's own calibration, beside that of the model."""
    found = await services.gallery.get_calibration(collection)
    faces = await services.gallery.count_faces(collection)
    return CalibrationAnswer.of(found, services.card, faces)


@router.delete(
    "/{collection}/calibration", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(404, 422, 503)
)
async def delete_calibration(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete the collection's own calibration. /identify then uses that of the model."""
    await services.gallery.delete_calibration(collection)


def _answer(services: Services, found: base.Collection) -> CollectionAnswer:
    return CollectionAnswer.of(found, services.gallery.indexes.state(found.id))
