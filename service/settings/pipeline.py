"""From the settings to the options of the pipeline, and to the models that they name."""

from collections.abc import Sequence
from dataclasses import replace

from service.model_files.card import EmbedderCard
from service.model_files.catalogue import ModelSource, find_int8, find_model
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.pipeline.opening import PipelineOptions
from service.settings.environment import Settings
from service.settings.in_force import parallelism

SAME_MODEL = (
    "FACE_MODELS__NEXT_EMBEDDER and FACE_MODELS__EMBEDDER are the same model. Name another one, or remove "
    "FACE_MODELS__NEXT_EMBEDDER."
)


def pipeline_options(settings: Settings) -> PipelineOptions:
    """Return the options of the pipeline. The defaults of threads, workers and batch size depend on the machine."""
    models, inference, detection = settings.models, settings.inference, settings.detection
    at_once = parallelism(inference)
    return PipelineOptions(
        detector=_find(settings, models.detector, "detector"),
        landmarks=None if models.landmarks == "detector" else _find(settings, models.landmarks, "landmarks"),
        embedder=_find(settings, models.embedder, "embedder"),
        int8=find_int8(models.embedder, models.dir, models.zoo),
        precision=inference.precision,
        provider=inference.provider,
        threads=at_once.threads,
        workers=at_once.workers,
        max_batch=at_once.max_batch,
        threads_per_call=inference.threads_per_call,
        engines=settings.data_dir / "tensorrt",
        mirror=models.mirror,
        max_pixels=settings.limits.pixels,
        max_side_px=detection.max_side_px,
        min_face_px=detection.min_face_px,
        min_score=detection.min_score,
        max_faces=detection.max_faces,
        keep_crops=settings.gallery.keep_crops == "yes",
    )


def _find(settings: Settings, name: str, role: str) -> ModelSource:
    return find_model(name, settings.models.dir, settings.models.zoo, role=role)


def next_embedder_options(settings: Settings) -> PipelineOptions | None:
    """Return the options of the second embedder. None if there is none. Raises StartupError."""
    name = settings.models.next_embedder
    if name is None:
        return None
    int8 = find_int8(name, settings.models.dir, settings.models.zoo)
    return replace(pipeline_options(settings), embedder=_find(settings, name, "embedder"), int8=int8)


def embedder_card(settings: Settings) -> EmbedderCard:
    """Return the card of the embedder. Raises StartupError."""
    return _card(pipeline_options(settings).embedder)


def usable_models(settings: Settings) -> frozenset[str]:
    """Return the ids of the loaded embedders, and of the models that can be compared with one. Raises StartupError."""
    options = [pipeline_options(settings), next_embedder_options(settings)]
    return usable_ids([_card(one.embedder) for one in options if one])


def usable_ids(cards: Sequence[EmbedderCard]) -> frozenset[str]:
    """Return the ids of these models, and of those that can be compared with one."""
    return frozenset(model_id for card in cards for model_id in (card.id, *(one.id for one in card.compatible_with)))


def _card(source: ModelSource) -> EmbedderCard:
    return open_model(source.path, EmbedderCard, Execution(), source.sha256).card
