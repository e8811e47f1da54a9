"""The request is valid, but the service cannot take it now."""

from service.domain.errors.base import FacenetError


class Unavailable(FacenetError):
    """The request is valid, but the service cannot take it now."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Unavailable):
    """More images are in flight than the limit, or there is too little memory for a photograph."""

    code = "overloaded"


class TimedOut(Unavailable):
    """The request took longer than the limit."""

    code = "timed_out"


class Abandoned(Unavailable):
    """The time limit passed, or the client left. The rest of the work is not done. No client gets this answer."""

    code = "abandoned"

    def __init__(self) -> None:
        super().__init__("Nobody waits for the answer any more. Send the request again.", retry_after_s=5)


class Hanging(Unavailable):
    """A call of a model or a decoder does not return. running_s: how long it has been running."""

    code = "hanging"

    def __init__(self, running_s: float) -> None:
        super().__init__(
            f"A call of a model or a decoder has not returned for {running_s:.0f} s. If it never returns, no "
            "photograph is processed until the service is started again.",
            retry_after_s=30,
        )


class ShuttingDown(Unavailable):
    """The service was told to stop and takes no new work."""

    code = "ending"

    def __init__(self) -> None:
        super().__init__("The service is stopping. Ask another replica, or try again.", retry_after_s=5)


class IndexBuilding(Unavailable):
    """The index of a large collection is being built, after the start or after a failure."""

    code = "index_building"

    def __init__(self) -> None:
        super().__init__(
            "The faces of a large collection are being read into memory. This takes 4 to 20 s for a million faces. "
            "Other collections can be searched.",
            retry_after_s=5,
        )


class SearchUnavailable(Unavailable):
    """The search server does not answer, or does not have all faces yet. Nothing that is stored is lost."""

    code = "search_unavailable"

    def __init__(self, reason: str = "The search server does not answer.") -> None:
        super().__init__(f"{reason} Faces are still enrolled and deleted. Try again.", retry_after_s=5)
