"""All that is stored about one subject, for the person (GDPR, article 15)."""

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from service.api.dependencies import CollectionPath, NoQuery, ServicesDep, SubjectPath
from service.api.problems import problem_responses
from service.api.schemas.subjects import SubjectExport, export_parts

router = APIRouter(prefix="/collections/{collection}/subjects", tags=["gallery"])


@router.get(
    "/{subject}/export",
    response_class=StreamingResponse,
    response_model=None,
    responses={200: {"model": SubjectExport}, **problem_responses(404, 422, 503)},
)
async def export_subject(
    services: ServicesDep, collection: CollectionPath, subject: SubjectPath, _options: NoQuery
) -> StreamingResponse:
    """Return all that is stored about a subject: fields, faces with their embeddings, and lines of the audit log.

    The subject and the faces are as they were at one moment. Lines of the last second can be missing.
    """
    stored = await services.gallery.stored_subject(collection, subject)
    lines = services.audit.lines_about(collection, subject)
    headers = {"Content-Disposition": 'attachment; filename="subject.json"'}
    return StreamingResponse(export_parts(collection, stored, lines), headers=headers, media_type="application/json")
