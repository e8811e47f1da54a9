"""Collections. Each is a gallery of its own: a search is in one collection."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.api.dependencies import CollectionPath, NoQuery, ServicesDep
from service.api.problems import problem_responses
from service.api.schemas.collections import CollectionAnswer, CollectionsAnswer
from service.api.schemas.fields import PageOptions

router = APIRouter(prefix="/collections", tags=["gallery"])


@router.get("", responses=problem_responses(422, 503))
async def list_collections(services: ServicesDep, page: Annotated[PageOptions, Query()]) -> CollectionsAnswer:
    """List all collections, by id."""
    found = await services.gallery.list_collections(page.limit, page.cursor)
    return CollectionsAnswer(
        items=[CollectionAnswer.of(collection) for collection in found.items], next_cursor=found.next_cursor
    )


@router.put(
    "/{collection}",
    responses={201: {"model": CollectionAnswer, "description": "Created"}, **problem_responses(422, 503)},
)
async def create_collection(
    services: ServicesDep, collection: CollectionPath, _options: NoQuery, response: Response
) -> CollectionAnswer:
    """Create a collection (201). If it exists already, nothing changes (200)."""
    found, is_new = await services.gallery.create_collection(collection)
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return CollectionAnswer.of(found)


@router.get("/{collection}", responses=problem_responses(404, 422, 503))
async def get_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> CollectionAnswer:
    """Show how many subjects and faces a collection has, and the model that it is bound to."""
    return CollectionAnswer.of(await services.gallery.get_collection(collection))


@router.delete("/{collection}", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(404, 422, 503))
async def delete_collection(services: ServicesDep, collection: CollectionPath, _options: NoQuery) -> None:
    """Delete a collection with its subjects and faces. If it is `default`, it is created again at once, empty."""
    await services.gallery.delete_collection(collection)
