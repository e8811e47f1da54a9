"""A photograph that is sent: the bytes of its file, why the service refused it, and where its faces are."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facenet_client.schemas import FaceAnswer
from service.commands.photographs.left_out import LeftOut, left_out
from service.domain.command_errors import InvalidSettings, RequestRefused
from service.domain.face import Box
from service.settings.groups import Limits

LIMIT = "FACE_LIMITS__BODY_BYTES"

PHOTOGRAPH_CODES = frozenset({"body_too_large", "timed_out"})
"""Problems of a photograph that do not name it: it was the only one."""

SPLIT_CODES = PHOTOGRAPH_CODES | {"invalid_option"}
"""Problems of a request that one photograph alone may not have."""


@dataclass(frozen=True, slots=True)
class PhotographFile:
    """The bytes of a photograph."""

    path: Path
    data: bytes


def read_photograph(file: Path) -> PhotographFile | LeftOut:
    """Read a photograph, unless it has more bytes than the service accepts. Raises InvalidSettings."""
    try:
        size_bytes, most_bytes = file.stat().st_size, body_limit_bytes()
        if size_bytes > most_bytes:
            return _too_large(file, size_bytes, most_bytes)
        return PhotographFile(file, file.read_bytes())
    except OSError:
        return left_out(file, "unreadable_file")


def body_limit_bytes() -> int:
    """Return the most bytes of a request: the setting of the service if it is set here too, or its default.

    Raises InvalidSettings.
    """
    text = os.environ.get(LIMIT) or str(Limits().body_bytes)
    if not text.isdecimal():
        raise InvalidSettings(f"{LIMIT} must be a whole number of bytes.")
    return int(text)


def refused_photograph(file: Path, error: RequestRefused) -> LeftOut:
    """Return the entry of a photograph that was alone in its request.

    Raises the error again if it is about something else.
    """
    if error.problem.get("image") or error.problem_code in PHOTOGRAPH_CODES:
        return LeftOut(file, "refused", error.problem_code, error.reason)
    raise error


def require_all(photographs: Sequence[PhotographFile], results: Sequence[object]) -> None:
    """Raise RequestRefused unless an answer has a result for each photograph of the request."""
    if len(results) != len(photographs):
        detail = (
            f"The answer has {len(results)} results for {len(photographs)} photographs. It is not one of this service."
        )
        raise RequestRefused({"code": "unknown", "detail": detail})


def box_of(face: FaceAnswer) -> Box:
    """Return where a face of a photograph is. Raises RequestRefused if the answer does not say it."""
    if face.box is None:
        raise RequestRefused(
            {"code": "unknown", "detail": "The answer does not say where a face of the photograph is."}
        )
    return Box(**face.box.model_dump())


def _too_large(file: Path, size_bytes: int, most_bytes: int) -> LeftOut:
    detail = (
        f"The file has {size_bytes:,} bytes, and the service accepts {most_bytes:,} in a request. Make it smaller. If "
        f"the service accepts more, set {LIMIT} here as there."
    )
    return LeftOut(file, "refused", "too_large_file", detail)
