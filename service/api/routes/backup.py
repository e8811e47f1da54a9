"""A backup of the whole gallery."""

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from service.api.dependencies import NoQuery, ServicesDep
from service.api.openapi.refusals import refusals
from service.domain import errors

router = APIRouter(tags=["service"])
MEDIA_TYPE = "application/x-tar"


@router.post(
    "/backup",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The archive",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **refusals(errors.BackupElsewhere),
    },
)
async def create_backup(services: ServicesDep, _options: NoQuery) -> StreamingResponse:
    """Return a backup: a tar archive of the database at one moment, and its manifest with the sha256.

    It holds every id, name and embedding of all collections. Requests are answered meanwhile. `facenet backup FILE`
    calls this and checks the file. `facenet restore FILE` makes a data directory from it.
    """
    backup = await services.gallery.back_up()
    headers = {"Content-Length": str(backup.size_bytes), "Content-Disposition": 'attachment; filename="gallery.tar"'}
    return StreamingResponse(backup.chunks(), headers=headers, media_type=MEDIA_TYPE)
