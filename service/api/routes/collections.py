"""Collections. Each is a gallery of its own: a search is in one collection."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from service.api.bodies import json_body_of, optional_json_body_of
from service.api.dependencies import CollectionPath, NoQuery, Services, ServicesDep
from service.api.openapi.examples import EXPIRY_EXAMPLE, json_request_body
from service.api.openapi.refusals import IN_COLLECTION, OF_CHANGE, refusals
from service.api.schemas.collections import (
    CalibrationAnswer,
    CollectionAnswer,
    CollectionChanges,
    CollectionFields,
    CollectionsAnswer,
    NewCalibrationAnswer,
)
from service.api.schemas.faces import ModelOptions, ReembeddingAnswer
from service.api.schemas.fields import PageOptions
from service.decisions.error_rates.collection_calibration import measure_collection
from service.domain import errors
from service.gallery import base
from service.observability.outcomes import note_decision

router = APIRouter(prefix="/collections", tags=["collections"])


@router.get("", responses=refusals())
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
        **refusals(*IN_COLLECTION, *OF_CHANGE),
    },
)
async def create_collection(
    services: ServicesDep,
    collection: CollectionPath,
    body: Annotated[CollectionFields | None, Depends(optional_json_body_of(CollectionFields))],
    _options: NoQuery,
    response: Response,
) -> CollectionAnswer:
    """Create a collection: 201. If it exists already, nothing changes: 200.

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
    responses=refusals(*IN_COLLECTION, errors.CalibrationNotFound, *OF_CHANGE),
)
async def change_collection(
    services: ServicesDep,
    collection: CollectionPath,
    body: Annotated[CollectionChanges, Depends(json_body_of(CollectionChanges))],
    _options: NoQuery,
) -> CollectionAnswer:
    """Change a collection: at which age faces are deleted, and which calibration /identify uses by default.

    What is older already is deleted at once. A field that is not sent stays as it is.
    """
    changes: base.CollectionChanges = {}
    if "calibration" in body.model_fields_set:
        changes["calibration"] = body.calibration
    if "expires_after_days" in body.model_fields_set:
        changes["expires_after_days"] = body.expires_after_days
    return _answer(services, await services.gallery.change_collection(collection, changes))


@router.get("/{collection}", responses=refusals(*IN_COLLECTION))
async def get_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> CollectionAnswer:
    """Show a collection: how many subjects and faces it has, the model that it is bound to, and its index."""
    return _answer(services, await services.gallery.get_collection(collection))


@router.delete("/{collection}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(*IN_COLLECTION, *OF_CHANGE))
async def delete_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete a collection with its subjects and faces. If it is `default`, it is created again at once, empty."""
    await services.gallery.delete_collection(collection)


@router.post(
    "/{collection}/calibration",
    responses=refusals(*IN_COLLECTION, errors.TooFewPeople, errors.ModelMismatch, *OF_CHANGE),
)
async def measure_calibration(
    services: ServicesDep, collection: CollectionPath, _options: NoQuery
) -> NewCalibrationAnswer:
    """Measure how often the subjects of the collection match each other. The result replaces the one before.

    /identify uses it with ?calibration=own, or if the collection is set to it.
    """
    probes = await services.models.of_collection(collection)
    found = await measure_collection(probes, collection, services.clustering)
    faces = await services.gallery.count_faces(collection)
    return NewCalibrationAnswer.of_new(found, probes.card, faces)


@router.get("/{collection}/calibration", responses=refusals(*IN_COLLECTION, errors.CalibrationNotFound))
async def get_calibration(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> CalibrationAnswer:
    """Show the collection's own calibration, beside that of the model."""
    found = await services.gallery.get_calibration(collection)
    faces = await services.gallery.count_faces(collection)
    probes = await services.models.of_collection(collection)
    return CalibrationAnswer.of(found, probes.card, faces)


@router.delete(
    "/{collection}/calibration",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(*IN_COLLECTION, errors.CalibrationNotFound, *OF_CHANGE),
)
async def delete_calibration(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete the collection's own calibration. /identify then uses that of the model."""
    await services.gallery.delete_calibration(collection)


@router.post(
    "/{collection}/reembedding",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(*IN_COLLECTION, errors.InvalidOption, *OF_CHANGE),
)
async def begin_reembedding(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> ReembeddingAnswer:
    """Begin to embed the faces of a collection by the other loaded model.

    It works from the crops that are kept of the faces. It goes on in the background, also for faces that are enrolled
    later, and after a restart. The model of the collection stays as it is, until it is changed: PUT .../model.
    """
    model = await services.models.other_than_of(collection)
    return ReembeddingAnswer.of(await services.gallery.reembeddings.begin(collection, model))


@router.get("/{collection}/reembedding", responses=refusals(*IN_COLLECTION, errors.ReembeddingNotFound))
async def get_reembedding(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> ReembeddingAnswer:
    """Show how many faces have an embedding by the other model."""
    return ReembeddingAnswer.of(await services.gallery.reembeddings.state(collection))


@router.delete(
    "/{collection}/reembedding",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(*IN_COLLECTION, errors.ReembeddingNotFound, *OF_CHANGE),
)
async def end_reembedding(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete the embeddings by the other model. Those in use stay. The model cannot be changed then."""
    await services.gallery.reembeddings.end(collection)


@router.put(
    "/{collection}/model",
    responses=refusals(
        *IN_COLLECTION,
        errors.ReembeddingNotFound,
        errors.ReembeddingIncomplete,
        errors.InvalidOption,
        *OF_CHANGE,
    ),
)
async def change_model(
    services: ServicesDep, collection: CollectionPath, options: Annotated[ModelOptions, Query()]
) -> CollectionAnswer:
    """Use the embeddings by the other model from now on, all at once. The former ones are kept, so this can be undone.

    /identify then uses the calibration of the model. A collection of more than 20,000 faces is not searched for some
    seconds (503 `index_building`), because its index is made again.
    """
    model = services.models.by_id(options.model)
    deleted = await services.gallery.reembeddings.switch(collection, model, delete_missing=options.delete_missing)
    note_decision(model.id, deleted=deleted)
    return _answer(services, await services.gallery.get_collection(collection))


def _answer(services: Services, found: base.Collection) -> CollectionAnswer:
    return CollectionAnswer.of(found, services.gallery.face_search.state(found.id))
