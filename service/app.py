"""Build the application: settings -> objects -> FastAPI. Only this module and `__main__` use the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from service.access.opening import AccessOptions, open_keyring
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
from service.api.openapi.description import HEADERS, complete_description
from service.api.routes import (
    backup,
    cluster,
    collections,
    docs,
    embed,
    exports,
    faces,
    health,
    identify,
    keys,
    subjects,
    verify,
)
from service.api.server.connections import within_descriptors
from service.api.server.server import ServerOptions
from service.decisions.cluster import ClusteringPlaces
from service.decisions.probes import ProbeReader
from service.gallery.gallery import Gallery
from service.gallery.opening import open_gallery
from service.model_files.card import EmbedderCard
from service.model_files.catalogue import ModelSource, find_int8, find_model
from service.model_files.execution.options import GPU_PROVIDERS, Execution
from service.model_files.model_file import open_model
from service.observability.heap import return_freed_memory, without_start_objects
from service.observability.loop_lag import measured_loop_lag
from service.observability.metrics import GALLERY_FACES, GALLERY_REMAINS, INDEX_AGREEMENT, MEMORY_LIMIT
from service.observability.process_limits import cpu_count, descriptor_limit, memory_limit_bytes
from service.pipeline.opening import PipelineOptions, open_pipeline
from service.pipeline.pipeline import Pipeline
from service.pipeline.processes.worker_process import WorkerProcess
from service.pipeline.round_robin import RoundRobinThreads
from service.pipeline.selection import all_faces
from service.settings.environment import Settings

CLUSTERINGS_AT_ONCE = 1
LINE_READERS = 1
"""More would take the interpreter (the GIL) from other requests, and read no faster."""
SPARE_CONNECTIONS = 64
"""Connections that are kept for probes when all others have a request; a quarter of the connections at most."""
SHORT_QUEUE = 4
"""How many images of a key that asks for too much are in flight, for each thread: two are worked on, and two wait."""
GPU_WORKERS = 2
"""While the GPU computes one batch, the next one is stacked and copied to it."""
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
    async with open_pipeline(pipeline_options(settings)) as pipeline:
        await _warm(pipeline)
        audit, key_file = _audit_log(settings), settings.gallery.encryption_key_file
        with open_gallery(settings.data_dir, settings.gallery.index, GalleryAuditLog(audit), key_file) as gallery:
            async with (
                open_keyring(gallery.database, settings.data_dir, access_options(settings)) as keyring,
                WorkerProcess() as clustering,
                WorkerProcess() as parsing,
                measured_loop_lag(),
            ):
                processes = Processes(clustering, parsing)
                return_freed_memory()
                with without_start_objects():
                    yield build_app(settings, _services(settings, pipeline, gallery, keyring, audit, processes))
                await gallery.finish()


def _audit_log(settings: Settings) -> AuditLog:
    keeping = Keeping(settings.audit.keep_days, settings.audit.max_bytes)
    return AuditLog(settings.data_dir / FOLDER, settings.audit.secret_in(settings.data_dir), keeping)


def _services(  # noqa: PLR0913, PLR0917  # it only joins what is open
    settings: Settings,
    pipeline: Pipeline,
    gallery: Gallery,
    keyring: Keyring,
    audit: AuditLog,
    processes: Processes,
) -> Services:
    GALLERY_FACES.set_function(lambda: gallery.face_count)
    INDEX_AGREEMENT.set_function(lambda: gallery.indexes.lowest_agreement)
    GALLERY_REMAINS.set_function(lambda: gallery.has_remains)
    MEMORY_LIMIT.set_function(memory_limit_bytes)
    limits = settings.limits
    return Services(
        probes=ProbeReader(pipeline, gallery),
        gallery=gallery,
        keyring=keyring,
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
        title="FaceNet service",
        version=metadata.version("facenet-service"),
        description="Face verification, identification and clustering. Every distance is the squared L2 distance of "
        "unit vectors, in [0, 4]. Two faces match if their distance is below the threshold.",
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
    app.add_middleware(Authentication, static_path=docs.STATIC_PATH)
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


def access_options(settings: Settings) -> AccessOptions:
    """Return who may call the service."""
    return AccessOptions(settings.host, settings.admin_key_file, settings.insecure == "yes")


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


def pipeline_options(settings: Settings) -> PipelineOptions:
    """Return the options of the pipeline. The defaults of threads, workers and batch size depend on the machine."""
    models, inference, detection = settings.models, settings.inference, settings.detection
    cores = cpu_count()
    on_gpu = inference.provider in GPU_PROVIDERS
    return PipelineOptions(
        detector=_find(settings, models.detector, "detector"),
        landmarks=None if models.landmarks == "detector" else _find(settings, models.landmarks, "landmarks"),
        embedder=_find(settings, models.embedder, "embedder"),
        int8=find_int8(models.embedder, models.dir, models.zoo),
        precision=inference.precision,
        provider=inference.provider,
        threads=inference.threads or cores,
        workers=inference.workers or (GPU_WORKERS if on_gpu else cores),
        max_batch=inference.max_batch or (64 if on_gpu else 2),
        threads_per_call=inference.threads_per_call,
        engines=settings.data_dir / "tensorrt",
        mirror=models.mirror,
        max_pixels=settings.limits.pixels,
        max_side_px=detection.max_side_px,
        min_face_px=detection.min_face_px,
        min_score=detection.min_score,
        max_faces=detection.max_faces,
    )


def _find(settings: Settings, name: str, role: str) -> ModelSource:
    return find_model(name, settings.models.dir, settings.models.zoo, role=role)


def embedder_card(settings: Settings) -> EmbedderCard:
    """Return the card of the embedder. Raises StartupError."""
    source = _find(settings, settings.models.embedder, "embedder")
    return open_model(source.path, EmbedderCard, Execution(), source.sha256).card


def usable_models(settings: Settings) -> frozenset[str]:
    """Return the ids of the embedder and of the models that can be compared with it. Raises StartupError."""
    card = embedder_card(settings)
    return frozenset({card.id, *(model.id for model in card.compatible_with)})


async def _warm(pipeline: Pipeline) -> None:
    """Call each model once. The first call allocates memory, so without this the first request would be slower."""
    alignment = pipeline.card.alignment
    blank_crop = np.zeros((1, alignment.height, alignment.width, 3), np.uint8)
    await pipeline.embed_reference_crops(blank_crop)
    blank_photograph = cv2.imencode(".png", np.zeros((640, 640, 3), np.uint8))[1].tobytes()
    await to_thread.run_sync(pipeline.extractor.extract, blank_photograph, all_faces)
