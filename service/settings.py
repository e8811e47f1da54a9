"""All settings: default, range, and one sentence for each. `facenet settings` prints them with their current values.

Each setting is an environment variable. Its name starts with `FACE_`. A group and a name are separated by `__`, as in
`FACE_LIMITS__PIXELS=20000000`. An unknown name is refused. Otherwise nobody would notice a typing error, and the
default would be used.
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.domain.command_errors import InvalidSettings
from service.model_files.catalogue import CATALOGUE
from service.setting_types import Addresses, Hosts, Origins, RootPath

PREFIX = "FACE_"
Count = Annotated[int, Field(ge=1, le=1024)]

RULES = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
}
"""What a value must be, by pydantic's type of the error."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Models(_Group):
    """Which models are loaded."""

    dir: Path = Field(Path("var/models"), description="the folder of the NAME.onnx files")
    zoo: Path = Field(CATALOGUE, description="the file that lists the known models, and the sha256 that each must have")
    embedder: str = Field("sface", description="a name in `dir`, or the path of an .onnx file")
    detector: str = Field("yunet", description="a name in `dir`, or the path of an .onnx file")
    landmarks: str = Field(
        "onet", description="a name in `dir`, a path, or `detector` for the landmarks of the detector"
    )
    mirror: Literal["off", "enrolment", "always"] = Field(
        "off",
        description="when an embedding is averaged with that of the mirror image. The embedder then works twice",
    )


class Inference(_Group):
    """How the models are run."""

    provider: Literal["cpu", "cuda", "tensorrt", "openvino"] = Field(
        "cpu", description="the execution provider of ONNX Runtime. The service does not start if it is missing"
    )
    threads: Count | None = Field(
        None, description="how many photographs are decoded and detected in parallel. Default: the number of CPUs"
    )
    workers: Count | None = Field(
        None, description="how many embedder calls run in parallel. Default: the number of CPUs; 1 on a GPU"
    )
    max_batch: int | None = Field(
        None, ge=1, le=1024, description="the most crops in one embedder call. Default: 4; 64 on a GPU"
    )
    threads_per_call: Count = Field(1, description="threads inside one embedder call")


class Detection(_Group):
    """What counts as a face."""

    min_face_px: int = Field(
        40, ge=10, le=2000, description="the width of the smallest face to look for, in pixels of the photograph"
    )
    max_side_px: int = Field(
        65_535,
        ge=128,
        le=65_535,
        description="for detection, the longer side of a larger photograph is shrunk to this. 640 saves time",
    )
    min_score: float = Field(
        0.8,
        gt=0,
        lt=1,
        description="the lowest detection score of a face. For a face that is narrower than 40 pixels where it is "
        "searched, 0.55 is enough, because the landmark network also judges it",
    )
    max_faces: int = Field(
        100, ge=1, le=1000, description="the most faces of one photograph. Those with the highest scores are used"
    )


class GallerySettings(_Group):
    """How the gallery is searched."""

    index: str = Field("IDMap2,Flat", description="a factory string of FAISS, or `exact` for plain NumPy")


class Limits(_Group):
    """What a client may send."""

    body_bytes: int = Field(32 * 2**20, ge=1024, le=2**30, description="the most bytes in the body of one request")
    body_bytes_in_flight: int = Field(
        256 * 2**20, ge=1024, description="the most bytes in the bodies of all running requests together"
    )
    pixels: int = Field(
        52_000_000, ge=1, le=500_000_000, description="the most pixels of one photograph. Its header is checked first"
    )
    images_per_request: int = Field(64, ge=1, le=4096, description="the most photographs in one request")
    images_in_flight: int = Field(
        128, ge=1, le=65536, description="the most photographs in all running requests together"
    )
    connections: int = Field(
        2048,
        ge=16,
        le=2**20,
        description="the most open connections. It is less if the process may have too few descriptors (ulimit -n)",
    )
    connections_per_address: int = Field(
        512,
        ge=1,
        le=2**20,
        description="the most open connections of one client address. The proxies of `trusted_proxies` can have more",
    )
    embeddings_per_request: int = Field(5_000, ge=1, le=20_000, description="the most faces in one /cluster")
    request_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="the time from the end of the request's body to the start of the response"
    )
    upload_idle_s: float = Field(
        30.0, gt=0, le=3600, description="an upload is ended if no byte of the body came for this long"
    )
    upload_bytes_per_s: float = Field(
        1000,
        ge=0,
        le=2**30,
        description="an upload is ended if fewer bytes a second came, on average over `upload_span_s`. 0: never",
    )
    upload_span_s: float = Field(60.0, gt=0, le=3600, description="the span of `upload_bytes_per_s`")


class Log(_Group):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the lowest level that is written")
    format: Literal["json", "console"] = Field(
        "json", description="`json`: one object on each line. `console`: text for people"
    )


class Settings(BaseSettings):
    """All settings, read from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="the address that the service listens on")
    port: int = Field(8000, ge=0, le=65535, description="the port that the service listens on. 0 chooses a free port")
    root_path: RootPath = Field(
        "", description="the sub-path under which a proxy offers the service, such as /faces. Empty: no sub-path"
    )
    allowed_hosts: Hosts = Field(
        (),
        description="the names under which clients call the service, separated by commas. localhost and IP addresses "
        "are always accepted. `*`: every name",
    )
    cors_origins: Origins = Field(
        (), description="the origins whose web pages can call the service, separated by commas. `*`: all"
    )
    trusted_proxies: Addresses = Field(
        (),
        description="the addresses or networks of proxies, separated by commas. Only their X-Forwarded-For and "
        "X-Forwarded-Proto are used",
    )
    keep_alive_s: int = Field(
        75,
        ge=1,
        le=3600,
        description="how long an idle connection stays open, and the longest time for the headers of a request",
    )
    drain_delay_s: float = Field(
        0.0,
        ge=0,
        le=600,
        description="how long requests are accepted after SIGTERM. Meanwhile /readyz answers 503",
    )
    data_dir: Path = Field(Path("var/data"), description="the folder of the gallery. Only one process can use it")
    models: Models = Models()
    inference: Inference = Inference()
    detection: Detection = Detection()
    gallery: GallerySettings = GallerySettings()
    limits: Limits = Limits()
    log: Log = Log()


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises InvalidSettings for an unknown name or a value out of its range.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings(_describe(error.errors(include_url=False, include_input=False)[0])) from None


def _describe(error: Mapping[str, Any]) -> str:
    """Return the rule that a value breaks, and the default. The value itself is not repeated."""
    name = variable_name(part for part in error["loc"] if isinstance(part, str))  # an int is a place in a list
    rule = RULES.get(error["type"])
    text = f"{name} must be {rule.format(**error.get('ctx', {}))}." if rule else f"{name}: {error['msg']}."
    defaults = {variable.name: variable.value for variable in list_variables()}
    default = defaults.get(name)
    return text if default is None else f"{text} The default is {default}."


def variable_name(path: Iterable[str]) -> str:
    """Return the environment variable of a setting: ("limits", "pixels") is FACE_LIMITS__PIXELS."""
    return PREFIX + "__".join(path).upper()


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting: its environment variable, its sentence, and its value."""

    name: str
    sentence: str
    value: object

    @property
    def text(self) -> str:
        """The value as it is written in the environment."""
        return ",".join(self.value) if isinstance(self.value, tuple) else str(self.value)


def list_variables(settings: Settings | None = None) -> list[Variable]:
    """List every setting with its value, in the order of this file. Without `settings`, the values are the defaults."""
    found = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name) if settings else field.default
        if isinstance(value, _Group):
            found += list(_variables_of_group(name, value))
        else:
            found.append(Variable(variable_name((name,)), str(field.description), value))
    return found


def _variables_of_group(group_name: str, group: _Group) -> Iterator[Variable]:
    for name, field in type(group).model_fields.items():
        yield Variable(variable_name((group_name, name)), str(field.description), getattr(group, name))


def _refuse_unknown(names: Iterable[str]) -> None:
    known = [variable.name for variable in list_variables()]
    for name in names:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            raise InvalidSettings(
                f"There is no setting {name}. The nearest is {nearest}. `facenet settings` lists all."
            )
