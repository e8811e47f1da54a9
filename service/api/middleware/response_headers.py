"""What a browser may do with an answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = b"content-security-policy"
FOR_BROWSERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""A browser guesses no media type, shows no answer in a frame, and tells no other site the address of the service.
A page of another origin can use an answer only by CORS."""
NOT_STORED = (b"cache-control", b"no-store")
"""Answers hold names and embeddings, so neither a browser nor a proxy may keep them. The files of pages may be kept."""
NO_CONTENT = (CONTENT_POLICY, b"default-src 'none'; frame-ancestors 'none'")
"""If an answer is shown as a page, this page can load and run nothing."""


class ResponseHeaders:
    """Adds the headers to every answer. A page that needs scripts has a content policy of its own, which stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": complete_headers(message["headers"])}
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def complete_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those for browsers. headers: the names are lower-case."""
    names = {name for name, _ in headers}
    added = [*FOR_BROWSERS]
    if CONTENT_POLICY not in names:
        added.append(NO_CONTENT)
    if not names & {b"cache-control", b"etag"}:
        added.append(NOT_STORED)
    return [*headers, *added]
