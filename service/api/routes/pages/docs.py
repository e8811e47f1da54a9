"""The page that describes every call, with examples that run in the browser."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse

PATH = "/docs"
STATIC_PATH = "/static-offline-docs"
SWAGGER_UI = {
    "defaultModelsExpandDepth": 0,  # the list of all schemas is closed at first
    "displayOperationId": True,
    "displayRequestDuration": True,
    "showExtensions": False,  # `x-codes` is for programs. The description of a response has the same codes
}
START_OF_OPTIONS = "SwaggerUIBundle({"
EXAMPLES_OF_LINES = """
    plugins: [() => ({
        afterLoad() {
            const sample = this.fn.getSampleSchema;
            this.fn.getSampleSchema = (schema, mediaType, config, example) =>
                mediaType === "application/x-ndjson" ? example : sample(schema, mediaType, config, example);
        },
    })],
"""
"""Swagger UI takes lines of JSON for one JSON text, and would send their example as one quoted string."""
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


async def show_docs(request: Request) -> HTMLResponse:
    """Return the page. Its scripts and its style come from this service, and it calls this service only."""
    root_path = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root_path}{request.app.openapi_url}",
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url=f"{root_path}{STATIC_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{root_path}{STATIC_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{root_path}{STATIC_PATH}/favicon.png",
        swagger_ui_parameters=SWAGGER_UI,
    )
    html = bytes(page.body).decode().replace(START_OF_OPTIONS, START_OF_OPTIONS + EXAMPLES_OF_LINES, 1)
    return HTMLResponse(html, headers={"Content-Security-Policy": _content_policy(html.encode())})


def _content_policy(page: bytes) -> str:
    """Allow what the page needs. Its own inline script is named by its digest, so no other inline script runs.

    Swagger UI has pictures as `data:` in its style.
    """
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE_SCRIPT.findall(page))
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digest(script: bytes) -> str:
    return b64encode(sha256(script).digest()).decode()
