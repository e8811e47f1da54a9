"""Every knob, once: its default, its range and one sentence. `facenet settings` prints them as they are in force.

A setting comes from the environment: `FACE_` and its name, parts joined by `__` (`FACE_LIMITS__PIXELS=20000000`).
A name that is not here is refused, so a slip of the pen cannot silently leave a default in force.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import InvalidSettings

PREFIX = "FACE_"
Cores = Annotated[int, Field(ge=1, le=1024)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Models(_Group):
    """Which models are loaded."""

    dir: Path = Field(Path("var/models"), description="where NAME.onnx files lie")
    zoo: Path = Field(
        Path(__file__).parent.parent / "models" / "zoo.toml", description="the sha256 that known files must have"
    )
    embedder: str = Field("sface", description="name in `dir`, or the path of an .onnx file")
    detector: str = Field("yunet", description="name in `dir`, or the path of an .onnx file")
    landmarks: str = Field("onet", description="name in `dir`, a path, or `detector` for the detector's own points")
    mirror: Literal["off", "enrolment", "always"] = Field(
        "off", description="when an embedding is averaged with its mirror image's (twice the embedder's work)"
    )


class Inference(_Group):
    """How the models are run."""

    provider: Literal["cpu", "cuda", "tensorrt", "openvino"] = Field(
        "cpu", description="ONNX Runtime's execution provider; one that is missing stops the start"
    )
    threads: Cores | None = Field(None, description="photographs decoded and detected side by side; the cores")
    workers: Cores | None = Field(None, description="embedder calls side by side; the cores, 1 on a GPU")
    max_batch: int | None = Field(None, ge=1, le=1024, description="crops in one embedder call; 4, 64 on a GPU")
    threads_per_call: Cores = Field(1, description="threads inside one embedder call")


class Detection(_Group):
    """What counts as a face."""

    max_side_px: int = Field(640, ge=128, le=4096, description="larger photographs are shrunk to this for detection")
    min_score: float = Field(0.8, gt=0, lt=1, description="how sure the detector must be")
    max_faces: int = Field(100, ge=1, le=1000, description="the most certain faces that are taken of one photograph")


class GallerySettings(_Group):
    """How the gallery searches."""

    index: str = Field("IDMap2,Flat", description="FAISS's name of an index, or `exact` for plain NumPy")


class Limits(_Group):
    """What a client may ask for."""

    body_bytes: int = Field(32 * 2**20, ge=1024, le=2**30, description="of one request")
    body_bytes_in_flight: int = Field(256 * 2**20, ge=1024, description="of all requests together")
    pixels: int = Field(50_000_000, ge=1, le=500_000_000, description="of one photograph, known from its header")
    images_per_request: int = Field(64, ge=1, le=4096, description="photographs in one request")
    images_in_flight: int = Field(128, ge=1, le=65536, description="photographs of all requests together")
    embeddings_per_request: int = Field(5_000, ge=1, le=20_000, description="faces of one /cluster")
    request_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="from the end of the request's head to the beginning of its answer"
    )


class Log(_Group):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is written")
    format: Literal["json", "console"] = Field("json", description="one JSON object a line, or text for people")


class Settings(BaseSettings):
    """All settings, read from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="the address that the service listens on")
    port: int = Field(8000, ge=0, le=65535, description="0 takes a free one")
    drain_delay_s: float = Field(
        0.0, ge=0, le=600, description="how long the service is still reached after SIGTERM, no longer ready"
    )
    data_dir: Path = Field(Path("var/data"), description="the gallery; one process owns it")
    models: Models = Models()
    inference: Inference = Inference()
    detection: Detection = Detection()
    gallery: GallerySettings = GallerySettings()
    limits: Limits = Limits()
    log: Log = Log()


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises InvalidSettings, one line, for an unknown name or a value out of its range."""
    _refuse_unknown(environment)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = variable(str(part) for part in first["loc"])
        raise InvalidSettings(f"{name}: {first['msg']}.") from None


def variable(path: Iterable[str]) -> str:
    """The environment's name of a setting: ("limits", "pixels") is FACE_LIMITS__PIXELS."""
    return PREFIX + "__".join(path).upper()


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its name in the environment, what it is, and its value."""

    name: str
    sentence: str
    value: object


def variables(settings: Settings | None = None) -> list[Variable]:
    """Every setting in the order of this file, with its value in these settings, or its default."""
    found = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name) if settings else field.default
        if isinstance(value, _Group):
            fields = type(value).model_fields.items()
            found += [Variable(variable((name, one)), str(of.description), getattr(value, one)) for one, of in fields]
        else:
            found.append(Variable(variable((name,)), str(field.description), value))
    return found


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = [one.name for one in variables()]
    for name in environment:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            raise InvalidSettings(f"There is no setting {name}. The nearest is {nearest}; facenet settings lists all.")
