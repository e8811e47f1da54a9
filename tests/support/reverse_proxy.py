"""A reverse proxy that offers a service under a sub-path, as nginx does with HTTP/1.0 and without keep-alive."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx

HOP_BY_HOP = {"connection", "transfer-encoding", "host", "date"}


class _Handler(BaseHTTPRequestHandler):
    upstream: ClassVar[str]
    sub_path: ClassVar[str]
    removes_sub_path: ClassVar[bool]

    def forward(self) -> None:
        if not self.path.startswith(f"{self.sub_path}/"):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        path = self.path.removeprefix(self.sub_path) if self.removes_sub_path else self.path
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        with httpx.stream(self.command, self.upstream + path, content=body, headers=headers, timeout=30) as answer:
            content = b"".join(answer.iter_raw())  # as it came: it may be compressed
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name not in HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = forward  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def run_reverse_proxy(upstream: str, sub_path: str, *, removes_sub_path: bool) -> Iterator[str]:
    """Yield the address of a proxy, with the sub-path."""
    fields = {"upstream": upstream, "sub_path": sub_path, "removes_sub_path": removes_sub_path}
    handler = type("Handler", (_Handler,), fields)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{_port(server)}{sub_path}"
        server.shutdown()


def _port(server: socketserver.TCPServer) -> int:
    return int(server.socket.getsockname()[1])
