"""The text at the top of /docs, and the groups of its calls."""

from typing import Any

INTRODUCTION = """\
Do two photographs show the same person (`verify`)? Who is this (`identify`)? Which of these photographs show the same
person (`cluster`)?

**To try a call**, open it, press *Try it out*, then *Execute*. All fields are filled. The calls of a collection need
its content. `import_collection` under *export* stores it: the collection `people`, the subject `ada` and the face
`face-1`. The faces of the photographs are drawings.

**Distances** are squared L2 distances of unit vectors, in [0, 4]. Two faces match if their distance is below the
threshold. 0 is the same face.

**Images** are files of a form (`multipart/form-data`), or objects of a JSON body (`application/json`) with the same
field names. An object is a photograph in base64, an embedding, an enrolled face, or a subject. Options are always in
the query.

**Lists** come in pages. While `next_cursor` is not null, send it as `cursor` to get the next page.

**Refusals** are `application/problem+json` (RFC 9457). `code` is stable, and `detail` says what to do. Each call lists
its codes. These can come from every call: `invalid_http` and `invalid_host` (400), `not_found` (404),
`method_not_allowed` (405), `head_too_large` (431) and `internal_error` (500). After a 429 or 503, wait for the seconds
in `Retry-After`.

**Access keys** are needed once one exists: `Authorization: Bearer KEY` or `x-api-key: KEY`. The button *Authorize*
takes it.
"""

TAGS = [
    {"name": "decisions", "description": "Compare faces, name them, or find out which belong together"},
    {"name": "collections", "description": "Galleries. A search is in one collection, which is bound to one model"},
    {"name": "subjects", "description": "The people of a collection: their names, and what you note about them"},
    {"name": "faces", "description": "Enrol faces of subjects, move and delete them"},
    {"name": "export", "description": "Take a collection or a subject out of the service, and bring a collection back"},
    {"name": "keys", "description": "Access keys: who may do what"},
    {"name": "service", "description": "The state of the service, the loaded model, metrics and backups"},
]
"""In the order of the page. The first task of a new user is first."""

ABOUT: dict[str, Any] = {
    "title": "FaceNet service",
    "description": INTRODUCTION,
    "openapi_tags": TAGS,
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
"""What FastAPI is told."""
