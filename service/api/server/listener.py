"""The socket that accepts connections."""

import errno
import socket
from contextlib import ExitStack

from service.domain.command_errors import PortInUse

BACKLOG = 2048
"""The most connections that wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Open the port. Raises PortInUse."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            opened.pop_all()
            return listener
    except OSError as error:
        raise PortInUse(f"{host}:{port} cannot be used ({error.strerror}). {_advice(error, port)}") from None


def url_of(listener: socket.socket) -> str:
    """Return the address to call."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _advice(error: OSError, port: int) -> str:
    if error.errno in {errno.EADDRINUSE, errno.EACCES}:
        other = 8001 if port != 8001 else 8002
        return f"Choose another port: make run PORT={other}, or FACE_PORT={other} for facenet serve."
    return "Choose another address: make run HOST=127.0.0.1, or FACE_HOST=127.0.0.1 for facenet serve."
