"""Parse a form (multipart/form-data, RFC 7578) in memory: no photograph is written to a disk."""

from collections.abc import AsyncGenerator

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from service.api.errors.http_errors import InvalidForm
from service.api.schemas.cluster import ClusterBody
from service.api.schemas.fields import MAX_IMAGES
from service.api.schemas.identify import IdentifyBody
from service.api.schemas.images import ImagesBody, image_fields
from service.api.schemas.verify import VerifyBody

MAX_PARTS = MAX_IMAGES
IMAGE_FIELDS = frozenset(
    name.encode() for body in (VerifyBody, IdentifyBody, ImagesBody, ClusterBody) for name in image_fields(body)
)
"""The fields of all requests whose parts are files. Some clients send no `filename` with the bytes of a file."""

NO_BOUNDARY = (
    "Its Content-Type has no boundary. Let the HTTP library set the Content-Type of a form, and do not set it "
    "yourself. If the body is JSON, its Content-Type is application/json."
)
CUT_OFF = "It is cut off: the last part has no end."


class _InMemoryParser(MultiPartParser):
    spool_max_size = 2**31  # never reached: the limit of the body is smaller
    in_part = False

    def on_part_end(self) -> None:
        """End a part: the next boundary came."""
        self.in_part = False
        super().on_part_end()

    def on_headers_finished(self) -> None:
        """Begin a part. The part of an image field is a file, even if it has no `filename`, or only `filename*`."""
        self.in_part = True
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        if part.content_disposition and options.get(b"name") in IMAGE_FIELDS and b"filename" not in options:
            part.content_disposition += b'; filename=""'
        super().on_headers_finished()

    def check_end(self) -> None:
        """Raise InvalidForm if the last part did not end."""
        if self.in_part:
            for file in self._files_to_close_on_error:
                file.close()
            raise InvalidForm(CUT_OFF)


async def parse_form(headers: Headers, parts: AsyncGenerator[bytes, None]) -> FormData:
    """Return the parts of a form: files and texts. Raises InvalidForm, which says what is wrong."""
    if b"boundary" not in parse_options_header(headers["content-type"])[1]:
        raise InvalidForm(NO_BOUNDARY)
    parser = _InMemoryParser(headers, parts, max_files=MAX_PARTS, max_fields=MAX_PARTS)
    try:
        form = await parser.parse()
    except MultiPartException as error:  # its message holds nothing that the client sent
        raise InvalidForm(error.message) from None
    except UnicodeError:  # the form names a charset that cannot decode it
        raise InvalidForm("Its text cannot be decoded in its charset.") from None
    parser.check_end()
    return form
