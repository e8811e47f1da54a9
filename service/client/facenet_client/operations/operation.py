"""Methods that describe a call. A `Client` sends it at once, an `AsyncClient` when the result is awaited."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from facenet_client.calls import Call, Download, Listing
from facenet_client.sending.transport import AsyncTransport, Transport

P = ParamSpec("P")
T = TypeVar("T")
Now = TypeVar("Now")
"""What a method of Client returns."""
Later = TypeVar("Later")
"""What a method of AsyncClient returns."""
Sends = TypeVar("Sends", bound=Transport | AsyncTransport)


class Resource(Generic[Sends]):
    """Something that the service has, and a transport to it."""

    def __init__(self, transport: Sends) -> None:
        self._transport = transport


class Operation(Generic[P, Now, Later]):
    """A method of a resource.

    describe: returns a value that describes the request.
    verb: the method of the transport that takes this value.
    """

    def __init__(self, describe: Callable[Concatenate[Any, P], object], verb: str) -> None:
        self.describe = describe
        self._verb = verb
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: Resource[Transport], owner: type) -> Callable[P, Now]: ...
    @overload
    def __get__(self, resource: Resource[AsyncTransport], owner: type) -> Callable[P, Later]: ...
    def __get__(self, resource: Resource[Any] | None, owner: type) -> Any:  # the overloads have the types
        """Return the method, bound to a resource."""
        if resource is None:
            return self
        send = getattr(resource._transport, self._verb)  # noqa: SLF001  # an operation is a part of its resource

        @wraps(self.describe)
        def operation(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401  # the overloads have the types
            return send(self.describe(resource, *args, **kwargs))

        return operation


def sent(describe: Callable[Concatenate[Any, P], Call[T]]) -> Operation[P, T, Coroutine[Any, Any, T]]:
    """Let a method that describes a call return its result."""
    return Operation(describe, "send")


def listed(describe: Callable[Concatenate[Any, P], Listing[T]]) -> Operation[P, Iterator[T], AsyncIterator[T]]:
    """Let a method that describes a list return an iterator over its items."""
    return Operation(describe, "list_items")


def downloaded(describe: Callable[Concatenate[Any, P], Download]) -> Operation[P, None, Coroutine[Any, Any, None]]:
    """Let a method that describes a download write the file."""
    return Operation(describe, "download")
