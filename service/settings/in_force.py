"""What is in force where a setting has no value of its own: numbers that depend on the machine, and files."""

from dataclasses import dataclass

from pydantic import SecretStr

from service.access.opening import AccessOptions
from service.gallery.search.milvus.address import MilvusAddress, read_token
from service.model_files.execution.options import GPU_PROVIDERS
from service.observability.process_limits import cpu_count
from service.settings.environment import Settings, Variable, list_variables
from service.settings.groups import Inference

GPU_WORKERS = 2
"""While the GPU computes one batch, the next one is stacked and copied to it."""

NOTHING = "(none)"
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Parallelism:
    """How much the models do at once. The settings of the same names describe the fields."""

    threads: int
    workers: int
    max_batch: int


def parallelism(inference: Inference) -> Parallelism:
    """Return what the settings say. The defaults depend on the machine and on the provider."""
    cores, on_gpu = cpu_count(), inference.provider in GPU_PROVIDERS
    return Parallelism(
        threads=inference.threads or cores,
        workers=inference.workers or (GPU_WORKERS if on_gpu else cores),
        max_batch=inference.max_batch or (64 if on_gpu else 2),
    )


def access_options(settings: Settings) -> AccessOptions:
    """Return who may call the service."""
    return AccessOptions(settings.host, settings.admin_key_file, settings.insecure == "yes", settings.key_secret_file)


def milvus_address(settings: Settings) -> MilvusAddress | None:
    """Return where Milvus is. None if the settings name none. Raises InvalidSettings."""
    uri, token_file = settings.gallery.milvus_uri, settings.gallery.milvus_token_file
    if uri is None:
        return None
    return MilvusAddress(uri.get_secret_value(), read_token(token_file) if token_file else "")


def texts_in_force(settings: Settings) -> list[tuple[Variable, str]]:
    """Return every setting with the text of what is in force. A secret is hidden."""
    at_once = parallelism(settings.inference)
    defaults = {
        "FACE_INFERENCE__THREADS": at_once.threads,
        "FACE_INFERENCE__WORKERS": at_once.workers,
        "FACE_INFERENCE__MAX_BATCH": at_once.max_batch,
        "FACE_KEY_SECRET_FILE": access_options(settings).secret_in(settings.data_dir),
        "FACE_AUDIT__SECRET_FILE": settings.audit.secret_in(settings.data_dir),
    }
    return [(variable, _text(variable, defaults.get(variable.name))) for variable in list_variables(settings)]


def _text(variable: Variable, default: object) -> str:
    if isinstance(variable.value, SecretStr):
        return HIDDEN
    if variable.value is None:
        return NOTHING if default is None else str(default)
    return variable.text or NOTHING
