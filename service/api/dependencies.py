"""What routes ask for, by type."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, TypeVarTuple

import anyio
from anyio import to_thread
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from service.api.door import Door
from service.decisions.inputs import Inputs
from service.galleries.gallery import Gallery

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Services:
    """What `app.py` built: the objects behind the routes.

    cluster_threads: clusterings side by side, each of which may take hundreds of megabytes. ending: set once the
    service was told to end; it answers on, and is not ready.
    """

    inputs: Inputs
    door: Door
    cluster_threads: anyio.CapacityLimiter
    embeddings_per_request: int
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gallery(self) -> Gallery:
        """The gallery whose verbs `in_gallery` runs."""
        return self.inputs.gallery

    async def in_gallery(self, verb: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Runs one of the gallery's verbs in a thread of its pool. Raises what the verb raises."""
        return await to_thread.run_sync(verb, *arguments, limiter=self.inputs.gallery_threads)

    async def rest(self) -> None:
        """Returns once no thread is at the gallery, and none comes any more: a late request's work may still go on."""
        limiter = self.inputs.gallery_threads
        for _ in range(int(limiter.total_tokens)):
            await limiter.acquire_on_behalf_of(object())


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


def each_once(request: Request) -> None:
    """A name that comes twice in a query is a slip, and nobody can say which of the two was meant."""
    times = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in times.items() if count > 1]
    if repeated:
        raise RequestValidationError([_repeated(name) for name in repeated])


def _repeated(name: str) -> dict[str, Any]:
    return {"type": "repeated", "loc": ("query", name), "msg": "Pass it once; it came more than once."}
