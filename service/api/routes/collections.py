"""Collections: galleries that know nothing of each other."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.api.dependencies import ServicesDep
from service.api.fields import Id, NoOptions, Page
from service.api.gallery_answers import CollectionAnswer, CollectionsAnswer
from service.api.problems import answers

router = APIRouter(prefix="/collections", tags=["gallery"])


@router.get("", responses=answers(422, 503))
async def list_collections(services: ServicesDep, page: Annotated[Page, Query()]) -> CollectionsAnswer:
    """All collections, by id."""
    found = await services.in_gallery(services.gallery.collections, page.limit, page.cursor)
    return CollectionsAnswer(
        items=[CollectionAnswer.of(collection) for collection in found.items], next_cursor=found.next_cursor
    )


@router.put(
    "/{collection}",
    responses={201: {"model": CollectionAnswer, "description": "Created"}, **answers(422, 503)},
)
async def create_collection(
    services: ServicesDep, collection: Id, _options: Annotated[NoOptions, Query()], response: Response
) -> CollectionAnswer:
    """Creates a collection: 201. If it is there already, nothing changes: 200."""
    found, is_new = await services.in_gallery(services.gallery.create_collection, collection)
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return CollectionAnswer.of(found)


@router.get("/{collection}", responses=answers(404, 422, 503))
async def get_collection(
    services: ServicesDep, collection: Id, _options: Annotated[NoOptions, Query()]
) -> CollectionAnswer:
    """What a collection holds, and the model that its faces are bound to."""
    return CollectionAnswer.of(await services.in_gallery(services.gallery.collection, collection))


@router.delete("/{collection}", status_code=HTTPStatus.NO_CONTENT, responses=answers(404, 422, 503))
async def delete_collection(services: ServicesDep, collection: Id, _options: Annotated[NoOptions, Query()]) -> None:
    """Deletes a collection with its subjects and faces. `default` is there again at once, empty."""
    await services.in_gallery(services.gallery.delete_collection, collection)
