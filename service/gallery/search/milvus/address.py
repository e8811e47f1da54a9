"""Where the Milvus server is."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from service.domain.command_errors import InvalidSettings

EXAMPLE = "http://HOST:19530"


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """uri: of a server, or a file of Milvus Lite, which one process can use. token: USER:PASSWORD or an API key."""

    uri: str = field(repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raise InvalidSettings, which repeats nothing: there can be a password."""
        if not self.is_file and urlsplit(self.uri).scheme not in {"http", "https"}:
            raise InvalidSettings(
                f"FACE_GALLERY__MILVUS_URI is no address. It is written as {EXAMPLE}, or it is the name of a file that "
                "ends with .db."
            )

    @property
    def is_file(self) -> bool:
        """Whether it is a file of Milvus Lite."""
        return self.uri.endswith(".db")

    def __str__(self) -> str:
        """Return where it is, without the password."""
        if self.is_file:
            return self.uri
        parts = urlsplit(self.uri)
        return f"{parts.hostname}:{parts.port or 19530}"


def read_token(file: Path) -> str:
    """Return the only line of a file. Raises InvalidSettings, which does not repeat it."""
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidSettings(f"FACE_GALLERY__MILVUS_TOKEN_FILE: {file} cannot be read ({reason}).") from None
    if not token or not token.isprintable():
        raise InvalidSettings(
            f"FACE_GALLERY__MILVUS_TOKEN_FILE: {file} must hold one line: USER:PASSWORD or an API key of Milvus."
        )
    return token
