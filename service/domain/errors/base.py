"""The root of all errors, and errors about the options of a request."""

from typing import Any, ClassVar, Self


class FacenetError(Exception):
    """The root of all errors that this project raises on purpose.

    code: the stable code that clients receive.
    input_name: the input of the request that the error is about, such as `image_a` or `images[3]`. None if the error is
    about the whole request.
    """

    code: ClassVar[str] = "internal_error"
    input_name: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the text. A process that measures sends its error so, and `__init__` has other arguments."""
        return self._of_text, (self.args,), self.__dict__

    @classmethod
    def _of_text(cls, args: tuple[Any, ...]) -> Self:
        return cls.__new__(cls, *args)


class InvalidOption(FacenetError):
    """The value of an option does not fit the rest of the request."""

    code = "invalid_option"
