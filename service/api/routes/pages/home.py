"""The address `/`: a console for people, whose files are in `console/`, and a short answer for programs."""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

HOME_PATH = "/"
FILES_PATH = "/console"
FOLDER = Path(__file__).parent / "console"
PAGE = "index.html"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""The files that are served. Others in the folder are for those who read the code."""

CACHED = {"Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
"""A browser keeps the files, and asks each time whether they have changed. So it never mixes two versions."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
"""The page runs and loads nothing but its own files, and no text becomes HTML. Photographs are shown from memory."""


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """One file of the console. gzipped: the same bytes, compressed. etag: made of the bytes."""

    content: bytes
    gzipped: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, and compress it once.

        The ETag is weak, because it is the same with and without compression. The time of the file is not used: all
        files of a wheel have the same.
        """
        content = path.read_bytes()
        etag = f'W/"{sha256(content).hexdigest()[:32]}"'
        return cls(content, gzip.compress(content, mtime=0), MEDIA_TYPES[path.suffix], etag)

    def response_to(self, request: Request, headers: dict[str, str] | None = None) -> Response:
        """Return the file, or 304 if the client has it already."""
        headers = {**CACHED, **(headers or {}), "ETag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.gzipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


class Console:
    """The files of a folder, in memory. Only their exact names are served, so no path leads out of the folder."""

    def __init__(self, folder: Path) -> None:
        files = (path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES)
        self.files = {path.relative_to(folder).as_posix(): ConsoleFile.read(path) for path in files}

    async def show_home(self, request: Request) -> Response:
        """Return the page to a browser, which accepts text/html. Other clients get JSON."""
        if "text/html" in request.headers.get("accept", ""):
            return self.files[PAGE].response_to(request, PAGE_HEADERS)
        return JSONResponse(_describe_service(request), headers={"Vary": "Accept"})

    async def show_file(self, request: Request) -> Response:
        """Return a file of the page."""
        file = self.files.get(request.path_params["file"])
        if file is None:
            raise HTTPException(404)
        return file.response_to(request)


def install(app: FastAPI, folder: Path = FOLDER) -> None:
    """Add the page and its files to the application."""
    console = Console(folder)
    app.add_api_route(HOME_PATH, console.show_home, include_in_schema=False)
    app.add_api_route(f"{FILES_PATH}/{{file:path}}", console.show_file, include_in_schema=False)


def _describe_service(request: Request) -> dict[str, str]:
    """Say what the service is, and where to read on. It tells nothing that /openapi.json does not."""
    root_path = request.scope.get("root_path", "")
    addresses = {"console": "/", "docs": "/docs", "openapi": "/openapi.json", "alive": "/livez", "ready": "/readyz"}
    return {
        "service": request.app.title,
        "version": request.app.version,
        **{name: f"{root_path}{path}" for name, path in addresses.items()},
    }
