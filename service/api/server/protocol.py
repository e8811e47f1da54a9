"""HTTP/1.1 on one connection: Uvicorn's protocol, with limits and with problem documents as its errors."""

import asyncio
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.api.errors.http_errors import HeadTooLarge, InvalidHttp
from service.api.middleware.response_headers import complete_headers
from service.api.problems import response_to, response_to_http_error
from service.api.server.connections import Connections
from service.domain.errors import Overloaded

MAX_HEAD_BYTES = 2**18
"""The limit for the request line, all headers and the text between the chunks of a body, together."""
MAX_UNREAD_BYTES = 2**22
"""After a refusal, so many more bytes of the client are thrown away before the connection is closed."""
UNREAD_S = 2.0
"""And for so long."""


class HttpProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with limits for the head. Uvicorn itself accepts headers of any number and size, at any time.

    The head is the request line, the headers, and the text between the chunks of a body.
    """

    _head_bytes = 0
    _chunk_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _close_timer: asyncio.TimerHandle | None = None
    _unread_bytes = 0

    def __init__(self, connections: Connections, **parts: Any) -> None:  # noqa: ANN401  # what Uvicorn passes
        super().__init__(**parts)
        self._all_connections = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in Uvicorn
        super().connection_made(transport)
        self._start_head_timer()
        if self.client is None:  # it has left already
            self.abort()
        elif not self._all_connections.add(self, self.client[0]):
            self._send(response_to(Overloaded("Too many connections are open. Close some of them.", retry_after_s=1)))
            self.transport.close()  # at once: this connection has no place

    def connection_lost(self, exc: Exception | None) -> None:
        self._all_connections.remove(self)
        _stop(self._head_timer)
        _stop(self._write_timer)
        _stop(self._close_timer)
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._start_head_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._start_head_timer()  # Uvicorn's own timer is stopped by any byte, such as an empty line
        if self.cycle.response_complete:
            self._all_connections.set_waiting(self)

    def on_headers_complete(self) -> None:
        _stop(self._head_timer)
        self._all_connections.set_working(self)
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._close_timer is not None:
            self._throw_away(data)
            return
        super().data_received(data)
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(response_to_http_error(HeadTooLarge()))

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._head_bytes -= len(body)
        self._chunk_bytes += len(body)

    def on_chunk_header(self) -> None:
        self._chunk_bytes = 0

    def on_chunk_complete(self) -> None:
        """Do not count the length of a chunk and its line ends. Otherwise a body in small chunks would be refused."""
        self._head_bytes -= len(f"{self._chunk_bytes:x}\r\n\r\n")

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio reads the result, Uvicorn has none
        """Return whether the connection stays open, because the client has sent a whole request and can still read."""
        is_answering = self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body)  # type: ignore[redundant-expr]  # Uvicorn says never None
        if is_answering:
            self.cycle.keep_alive = False
        return is_answering

    def pause_writing(self) -> None:
        """Close the connection if the client does not read its answer for as long as it could be silent."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.timeout_keep_alive, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _stop(self._write_timer)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # Uvicorn's own text
        """Refuse what is not HTTP. Uvicorn calls this."""
        self._refuse(response_to_http_error(InvalidHttp()))

    def _refuse(self, response: Response) -> None:
        """Send a response that no application made, and close the connection.

        Answers to earlier requests on this connection come first, so nobody takes the refusal for such an answer.
        """
        cycle = self.cycle
        if self.transport.is_closing() or self._close_timer is not None:
            return
        if cycle is not None and not cycle.response_complete:  # type: ignore[redundant-expr]  # Uvicorn says never None
            if cycle.response_started or not cycle.more_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True  # the refusal is the answer to this request, and its work ends
            cycle.message_event.set()
        self._send(response)
        self._close_after_client()

    def _send(self, response: Response) -> None:
        headers = [*self.server_state.default_headers, *complete_headers(response.raw_headers)]
        lines = [name + b": " + value + b"\r\n" for name, value in [*headers, (b"connection", b"close")]]
        self.transport.write(b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", response.body]))

    def _close_after_client(self) -> None:
        """Close the connection when the client has closed its side, or soon.

        If it were closed with unread bytes, the system would reset it, and the client might lose the refusal
        (RFC 9112, 9.6).
        """
        self._close_timer = self.loop.call_later(UNREAD_S, self.abort)
        _stop(self._head_timer)
        self.flow.resume_reading()
        self.transport.write_eof()

    def _throw_away(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.abort()

    def _start_head_timer(self) -> None:
        _stop(self._head_timer)
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._end_silent_connection)

    def _end_silent_connection(self) -> None:
        """Close the connection, because the head did not come. The answer to an earlier request is not cut off."""
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]  # Uvicorn says never None
            self.abort()  # `close` would wait for a client that does not read the end of its answer


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
