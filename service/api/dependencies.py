"""What FastAPI passes to the routes."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError

from service.access.audit.log import AuditLog
from service.access.keyring import Keyring
from service.api.admission import Admission
from service.api.schemas.fields import EXAMPLE_COLLECTION, EXAMPLE_FACE, EXAMPLE_SUBJECT, Id, NoOptions
from service.decisions.cluster import ClusteringPlaces
from service.decisions.probes import ProbeReader
from service.decisions.two_models import LoadedModels
from service.gallery.gallery import Gallery
from service.gallery.records.shared_settings import SharedSettings
from service.model_files.card import EmbedderCard
from service.pipeline.processes.worker_process import WorkerProcess
from service.pipeline.round_robin import RoundRobinThreads


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that the routes use. `app.py` builds them.

    models: the loaded models.
    clustering: where faces are clustered.
    parsing: the process in which large JSON bodies are parsed.
    lines: the thread in which the lines of bulk enrolments are read.
    request_timeout_s: the time limit of a request.
    shutting_down: set when the service was told to stop. The service then still answers requests, but is not ready.
    """

    models: LoadedModels
    gallery: Gallery
    keyring: Keyring
    shared_settings: SharedSettings
    audit: AuditLog
    admission: Admission
    clustering: ClusteringPlaces
    parsing: WorkerProcess
    lines: RoundRobinThreads
    embeddings_per_request: int
    request_timeout_s: float
    shutting_down: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def probes(self) -> ProbeReader:
        """What reads the inputs of a request that is not about one collection."""
        return self.models.first

    @property
    def card(self) -> EmbedderCard:
        """The card of the loaded model."""
        return self.probes.card


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]

CollectionPath = Annotated[Id, Path(description="the id of the collection", examples=[EXAMPLE_COLLECTION])]
SubjectPath = Annotated[
    Id, Path(description="the id of the subject, which is a person in the collection", examples=[EXAMPLE_SUBJECT])
]
KeyPath = Annotated[
    Id,
    Path(
        description="the id of the access key: `id` in the answer of create_key, and the part of the key between "
        "`facenet_` and the next `_`",
        examples=["0123456789ab"],
    ),
]
FacePath = Annotated[
    Id, Path(description="the id of the enrolled face: `face` in the answer of its enrolment", examples=[EXAMPLE_FACE])
]

NoQuery = Annotated[NoOptions, Query()]
"""For a route without options: any option is refused."""


async def refuse_repeated_options(request: Request) -> None:
    """Refuse an option that occurs twice in the query. It is unclear which of the two values is meant."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise RequestValidationError([_repeated(name) for name in repeated])


def _repeated(name: str) -> dict[str, Any]:
    return {"type": "repeated", "loc": ("query", name), "msg": "Pass it once; it came more than once."}
