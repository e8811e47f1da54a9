"""The root of all errors, and errors about the options of a request."""

from typing import ClassVar


class FacenetError(Exception):
    """The root of all errors that this project raises on purpose.

    code: the stable code that clients receive.
    input_name: the input of the request that the error is about, such as `image_a` or `images[3]`. None if the error is
    about the whole request.
    """

    code: ClassVar[str] = "internal_error"
    input_name: str | None = None


class InvalidOption(FacenetError):
    """The value of an option does not fit the rest of the request."""

    code = "invalid_option"
