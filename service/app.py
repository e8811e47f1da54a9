"""Build the application: settings -> objects -> FastAPI. Only this module and `__main__` use the settings."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import cv2
import numpy as np
from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from service.access.audit.files import FOLDER, Keeping
from service.access.audit.gallery_log import GalleryAuditLog
from service.access.audit.log import AuditLog
from service.access.keyring import Keyring
from service.access.opening import open_keyring
from service.api import problems
from service.api.access import require_access
from service.api.admission import Admission
from service.api.dependencies import Services, refuse_repeated_options
from service.api.middleware.audit import RequestAudit
from service.api.middleware.authentication import Authentication
from service.api.middleware.hosts import AllowedHosts
from service.api.middleware.limits import RequestLimits
from service.api.middleware.observation import RequestObservation
from service.api.middleware.origins import AllowedOrigins
from service.api.middleware.response_headers import ResponseHeaders
from service.api.middleware.root_path import RootPath
from service.api.middleware.running_requests import RunningRequests, RunningRequestsOfKey
from service.api.middleware.uploads import UploadRules
from service.api.openapi.description import HEADERS, complete_description, operation_id
from service.api.openapi.introduction import ABOUT
from service.api.routes import (
    backup,
    cluster,
    collections,
    embed,
    exports,
    faces,
    health,
    identify,
    keys,
    subjects,
    verify,
)
from service.api.routes.pages import docs, home
from service.api.server.connections import within_descriptors
from service.api.server.server import ServerOptions
from service.decisions.cluster import ClusteringPlaces
from service.decisions.probes import ProbeReader
from service.decisions.two_models import LoadedModels, embedding_in_background
from service.domain.command_errors import InvalidSettings
from service.gallery.gallery import Gallery
from service.gallery.opening import Server, open_gallery
from service.gallery.records.shared_settings import SharedSettings
from service.model_files.card import EmbedderCard
from service.observability.heap import return_freed_memory, without_start_objects
from service.observability.loop_lag import measured_loop_lag
from service.observability.metrics import GALLERY_FACES, GALLERY_REMAINS, INDEX_AGREEMENT, MEMORY, MEMORY_LIMIT
from service.observability.process_limits import descriptor_limit, memory_bytes, memory_limit_bytes
from service.pipeline.opening import open_next, open_pipeline
from service.pipeline.pipeline import Pipeline
from service.pipeline.processes.worker_process import WorkerProcess
from service.pipeline.round_robin import RoundRobinThreads
from service.pipeline.selection import all_faces
from service.settings.environment import Settings
from service.settings.in_force import access_options, milvus_address
from service.settings.pipeline import SAME_MODEL, next_embedder_options, pipeline_options, usable_ids

CLUSTERINGS_AT_ONCE = 1
LINE_READERS = 1
"""More would take the interpreter (the GIL) from other requests, and read no faster."""
SPARE_CONNECTIONS = 64
"""Connections that are kept for probes when all others have a request; a quarter of the connections at most."""
SHORT_QUEUE = 4
"""How many images of a key that asks for too much are in flight, for each thread: two are worked on, and two wait."""
CORS: dict[str, Any] = {
    "allow_methods": ("HEAD", *problems.METHODS),
    "allow_headers": ("Authorization", "X-API-Key", "X-Request-ID"),
    "expose_headers": tuple(HEADERS),
}
"""What web pages of the allowed origins can send and read."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes beside that of the service. Each is started when it is first needed."""

    clustering: WorkerProcess
    parsing: WorkerProcess


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Open the models and the gallery, and call each model once. The end of the context closes all.

    Raises StartupError.
    """
    cv2.setNumThreads(1)  # photographs are already processed in parallel
    async with _open_models(settings) as pipelines:
        audit = _audit_log(settings)
        with _open_gallery(settings, [one.card for one in pipelines], GalleryAuditLog(audit)) as gallery:
            models = LoadedModels(*(ProbeReader(one, gallery) for one in pipelines))
            async with (
                open_keyring(gallery.database, settings.data_dir, access_options(settings)) as keyring,
                WorkerProcess() as clustering,
                WorkerProcess() as parsing,
                measured_loop_lag(),
                embedding_in_background(models),
            ):
                processes = Processes(clustering, parsing)
                return_freed_memory()
                with without_start_objects():
                    yield build_app(settings, _services(settings, models, keyring, audit, processes))
                await gallery.finish()


@asynccontextmanager
async def _open_models(settings: Settings) -> AsyncIterator[list[Pipeline]]:
    """Open the pipeline of the embedder, and that of the next one if there is one. Call each model once."""
    async with AsyncExitStack() as opened:
        pipelines = [await opened.enter_async_context(open_pipeline(pipeline_options(settings)))]
        if (options := next_embedder_options(settings)) is not None:
            pipelines.append(await opened.enter_async_context(open_next(pipelines[0], options)))
            if pipelines[0].card.id == pipelines[1].card.id:
                raise InvalidSettings(SAME_MODEL)
        for pipeline in pipelines:
            await _warm(pipeline)
        yield pipelines


def _open_gallery(
    settings: Settings, cards: Sequence[EmbedderCard], log: GalleryAuditLog
) -> AbstractContextManager[Gallery]:
    chosen, server = settings.gallery, None
    if chosen.url is not None:
        dimension = max(card.dimension for card in cards)
        server = Server(chosen.url.get_secret_value(), cards[0].id, usable_ids(cards), dimension)
    milvus = milvus_address(settings)
    return open_gallery(settings.data_dir, chosen.index, log, chosen.encryption_key_file, server, milvus)


def _audit_log(settings: Settings) -> AuditLog:
    keeping = Keeping(settings.audit.keep_days, settings.audit.max_bytes)
    return AuditLog(settings.data_dir / FOLDER, settings.audit.secret_in(settings.data_dir), keeping)


def _services(
    settings: Settings, models: LoadedModels, keyring: Keyring, audit: AuditLog, processes: Processes
) -> Services:
    gallery = models.first.gallery
    GALLERY_FACES.set_function(lambda: gallery.face_count)
    INDEX_AGREEMENT.set_function(lambda: gallery.face_search.lowest_agreement)
    GALLERY_REMAINS.set_function(lambda: gallery.has_remains)
    MEMORY.set_function(memory_bytes)
    MEMORY_LIMIT.set_function(memory_limit_bytes)
    limits = settings.limits
    return Services(
        models=models,
        gallery=gallery,
        keyring=keyring,
        shared_settings=SharedSettings(gallery.database, [keyring.read_keys, gallery.read_settings]),
        audit=audit,
        admission=_admission(settings, keyring),
        clustering=ClusteringPlaces(RoundRobinThreads(CLUSTERINGS_AT_ONCE), processes.clustering),
        parsing=processes.parsing,
        lines=RoundRobinThreads(LINE_READERS),
        embeddings_per_request=limits.embeddings_per_request,
        request_timeout_s=limits.request_timeout_s,
    )


def _admission(settings: Settings, keyring: Keyring) -> Admission:
    limits = settings.limits
    short_queue = SHORT_QUEUE * pipeline_options(settings).threads
    return Admission(limits.images_in_flight, limits.images_per_request, short_queue, keyring.count_images)


def build_app(settings: Settings, services: Services) -> FastAPI:
    """Build the application around objects that are already open."""
    app = describe_app(settings)
    app.state.services = services
    return app


def describe_app(settings: Settings) -> FastAPI:
    """Build the application without services. This is enough for its OpenAPI description."""
    app = FastAPIOffline(
        **ABOUT,
        version=metadata.version("facenet-service"),
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        static_url=docs.STATIC_PATH,
        redirect_slashes=False,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        dependencies=[Depends(require_access), Depends(refuse_repeated_options)],
    )
    for route in (verify, identify, cluster, embed, collections, subjects, faces, exports, keys, backup, health):
        app.include_router(route.router)
    app.add_api_route(docs.PATH, docs.show_docs, include_in_schema=False)
    home.install(app)
    problems.install(app)
    complete_description(app)
    _add_middleware(app, settings)
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add what happens around every request. The last one is the outermost, so every answer has its headers."""
    limits = settings.limits
    connections = _connections(settings)
    requests = connections - min(SPARE_CONNECTIONS, connections // 4)
    app.add_middleware(RunningRequestsOfKey, limit=requests)
    app.add_middleware(Authentication, static_paths=(docs.STATIC_PATH, home.FILES_PATH))
    app.add_middleware(AllowedOrigins, origins=settings.cors_origins)
    app.add_middleware(AllowedHosts, names=settings.allowed_hosts)
    app.add_middleware(
        RequestLimits,
        body_bytes=limits.body_bytes,
        body_bytes_in_flight=limits.body_bytes_in_flight,
        upload=UploadRules(limits.upload_idle_s, limits.upload_bytes_per_s, limits.upload_span_s),
        timeout_s=limits.request_timeout_s,
    )
    app.add_middleware(RunningRequests, limit=requests)
    app.add_middleware(RequestAudit)
    app.add_middleware(RequestObservation)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **CORS)
    app.add_middleware(ResponseHeaders)


def server_options(settings: Settings) -> ServerOptions:
    """Return the options of the server."""
    return ServerOptions(
        host=settings.host,
        port=settings.port,
        drain_delay_s=settings.drain_delay_s,
        request_timeout_s=settings.limits.request_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        connections=_connections(settings),
        connections_per_address=settings.limits.connections_per_address,
        trusted_proxies=settings.trusted_proxies,
    )


def _connections(settings: Settings) -> int:
    return within_descriptors(settings.limits.connections, descriptor_limit())


async def _warm(pipeline: Pipeline) -> None:
    """Call each model once. The first call allocates memory, so without this the first request would be slower."""
    alignment = pipeline.card.alignment
    blank_crop = np.zeros((1, alignment.height, alignment.width, 3), np.uint8)
    await pipeline.embed_reference_crops(blank_crop)
    blank_photograph = cv2.imencode(".png", np.zeros((640, 640, 3), np.uint8))[1].tobytes()
    await to_thread.run_sync(pipeline.extractor.extract, blank_photograph, all_faces)
