"""Access keys: who may call the service."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from service.api.bodies import json_body_of
from service.api.dependencies import KeyPath, NoQuery, ServicesDep
from service.api.openapi.examples import KEY_EXAMPLE, json_request_body
from service.api.openapi.refusals import OF_CHANGE, refusals
from service.api.schemas.keys import KeyAnswer, KeysAnswer, NewKey, NewKeyAnswer, RotateOptions
from service.domain import access_errors

router = APIRouter(prefix="/keys", tags=["keys"])
SECRET = {"Cache-Control": "no-store"}
"""For an answer that holds a key."""


@router.get("", responses=refusals())
async def list_keys(services: ServicesDep, _options: NoQuery) -> KeysAnswer:
    """List all keys, without their secret parts. Those that have ended are listed too."""
    return KeysAnswer(items=[KeyAnswer.of(key) for key in services.keyring.list_keys()])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    openapi_extra=json_request_body(NewKey, KEY_EXAMPLE),
    responses=refusals(access_errors.FirstKeyTooNarrow, *OF_CHANGE),
)
async def create_key(
    services: ServicesDep, body: Annotated[NewKey, Depends(json_body_of(NewKey))], _options: NoQuery, response: Response
) -> NewKeyAnswer:
    """Create a key. It is in this answer only: the service stores no key, but a hash of it.

    The first key needs the scope `admin` for all collections. With it, the service no longer answers requests without a
    key.
    """
    response.headers.update(SECRET)
    return NewKeyAnswer.with_text(*await services.keyring.create(body.to_create()))


@router.post(
    "/{key_id}/rotate", status_code=HTTPStatus.CREATED, responses=refusals(access_errors.KeyNotFound, *OF_CHANGE)
)
async def rotate_key(
    services: ServicesDep, key_id: KeyPath, options: Annotated[RotateOptions, Query()], response: Response
) -> NewKeyAnswer:
    """Rotate a key: create one that allows the same, and let this one end after the overlap."""
    response.headers.update(SECRET)
    return NewKeyAnswer.with_text(*await services.keyring.rotate(key_id, options.overlap_s))


@router.delete(
    "/{key_id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(access_errors.KeyNotFound, *OF_CHANGE)
)
async def revoke_key(services: ServicesDep, key_id: KeyPath, _options: NoQuery) -> None:
    """Revoke a key. The next request with it is refused."""
    await services.keyring.revoke(key_id)
