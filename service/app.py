"""The only place that builds: settings -> objects -> the FastAPI application."""

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

import anyio
import cv2
import numpy as np
from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from service import allowance
from service.api import problems, unrouted
from service.api.dependencies import Services, each_once
from service.api.description import describe
from service.api.door import Door
from service.api.limited import Limited
from service.api.observed import Observed
from service.api.routes import cluster, collections, embed, faces, health, identify, subjects, verify
from service.decisions.inputs import Inputs
from service.errors import ModelFileError
from service.galleries.gallery import Gallery
from service.observability.metrics import GALLERY_FACES, MEMORY_LIMIT
from service.pipeline import ModelSource, Pipeline, PipelineOptions, every_face, open_pipeline
from service.settings import Settings

GALLERY_THREADS = 4
CLUSTERINGS_AT_ONCE = 1


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Opens models and gallery, warms the models, and closes all in the end. Raises StartupError."""
    cv2.setNumThreads(1)  # photographs run side by side already
    async with open_pipeline(pipeline_options(settings)) as pipeline:
        await _warm(pipeline)
        gallery = Gallery.open(settings.data_dir, settings.gallery.index)
        try:
            services = _services(settings, pipeline, gallery)
            yield build_app(settings, services)
            await services.rest()
        finally:
            gallery.close()


def _services(settings: Settings, pipeline: Pipeline, gallery: Gallery) -> Services:
    GALLERY_FACES.set_function(lambda: gallery.size)
    MEMORY_LIMIT.set_function(allowance.memory_bytes)
    limits = settings.limits
    return Services(
        inputs=Inputs(pipeline, gallery, anyio.CapacityLimiter(GALLERY_THREADS)),
        door=Door(limits.images_in_flight, limits.images_per_request),
        cluster_threads=anyio.CapacityLimiter(CLUSTERINGS_AT_ONCE),
        embeddings_per_request=limits.embeddings_per_request,
    )


def build_app(settings: Settings, services: Services) -> FastAPI:
    """The application around objects that are open already."""
    app = describe_app(settings)
    app.state.services = services
    return app


def describe_app(settings: Settings) -> FastAPI:
    """The application without what it works with: enough for its OpenAPI description."""
    app = FastAPIOffline(
        title="FaceNet service",
        version=metadata.version("facenet-service"),
        description="Face verification, identification and clustering. Every distance is the squared L2 distance of "
        "unit vectors, in [0, 4]; it is a match when it is below the threshold.",
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(each_once)],
    )
    for route in (verify, identify, cluster, embed, collections, subjects, faces, health):
        app.include_router(route.router)
    problems.install(app)
    unrouted.install(app)
    describe(app)
    limits = settings.limits
    app.add_middleware(
        Limited,
        body_bytes=limits.body_bytes,
        body_bytes_in_flight=limits.body_bytes_in_flight,
        timeout_s=limits.request_timeout_s,
    )
    app.add_middleware(Observed)
    return app


def pipeline_options(settings: Settings) -> PipelineOptions:
    """The settings of the pipeline, with what depends on the machine filled in."""
    models, inference, detection = settings.models, settings.inference, settings.detection
    cores = allowance.cores()
    on_cpu = inference.provider == "cpu"
    return PipelineOptions(
        detector=_source(settings, models.detector),
        landmarks=None if models.landmarks == "detector" else _source(settings, models.landmarks),
        embedder=_source(settings, models.embedder),
        provider=inference.provider,
        threads=inference.threads or cores,
        workers=inference.workers or (cores if on_cpu else 1),
        max_batch=inference.max_batch or (4 if on_cpu else 64),
        threads_per_call=inference.threads_per_call,
        mirror=models.mirror,
        max_pixels=settings.limits.pixels,
        max_side_px=detection.max_side_px,
        min_score=detection.min_score,
        max_faces=detection.max_faces,
    )


def _source(settings: Settings, name: str) -> ModelSource:
    """A name is looked up in the zoo, which knows its sha256; a path is taken as it is."""
    if name.endswith(".onnx"):
        return ModelSource(Path(name))
    try:
        zoo = tomllib.loads(settings.models.zoo.read_text("utf-8"))["models"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        raise ModelFileError(
            f"{settings.models.zoo} cannot be read; FACE_MODELS__ZOO names the list of models."
        ) from None
    if name not in zoo:
        raise ModelFileError(
            f"There is no model {name}; known are {', '.join(sorted(zoo))}, or give a path to a .onnx."
        )
    return ModelSource(settings.models.dir / f"{name}.onnx", zoo[name]["sha256"])


async def _warm(pipeline: Pipeline) -> None:
    """The first call of a session allocates; it is made here, so that the first request is as fast as the second."""
    alignment = pipeline.card.alignment
    blank = np.zeros((1, alignment.height, alignment.width, 3), np.uint8)
    await pipeline.embed_reference(blank)
    picture = cv2.imencode(".png", np.zeros((640, 640, 3), np.uint8))[1].tobytes()
    await to_thread.run_sync(pipeline.sight.look, picture, every_face)
