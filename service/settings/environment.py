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
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.domain.command_errors import InvalidSettings
from service.settings.groups import Audit, Detection, GallerySettings, Group, Inference, Limits, Log, Models
from service.settings.types import Addresses, Hosts, Origins, RootPath

PREFIX = "FACE_"

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
    admin_key_file: Path | None = Field(
        None, description="a file with one line: the access key of the operator, which allows everything"
    )
    key_secret_file: Path | None = Field(
        None,
        description="the secret that access keys are hashed with. It is created with the first key. Replicas of one "
        "database need the same. Default: `key_secret` in the data directory",
    )
    insecure: Literal["no", "yes"] = Field(
        "no", description="`yes`: without an access key, other machines may call the service too, and do everything"
    )
    data_dir: Path = Field(Path("var/data"), description="the folder of the gallery. Only one process can use it")
    models: Models = Models()
    inference: Inference = Inference()
    detection: Detection = Detection()
    gallery: GallerySettings = GallerySettings()
    limits: Limits = Limits()
    audit: Audit = Audit()
    log: Log = Log()


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises InvalidSettings for an unknown name, a value out of its range, or an empty name of a file.
    """
    _refuse_unknown(os.environ)
    _refuse_empty_files(os.environ)
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
        if isinstance(value, Group):
            found += list(_variables_of_group(name, value))
        else:
            found.append(Variable(variable_name((name,)), str(field.description), value))
    return found


def _variables_of_group(group_name: str, group: Group) -> Iterator[Variable]:
    for name, field in type(group).model_fields.items():
        yield Variable(variable_name((group_name, name)), str(field.description), getattr(group, name))


def _refuse_empty_files(environment: Mapping[str, str]) -> None:
    """Refuse a file whose name is empty: a gallery would be plain because a variable of a script was not set."""
    for name, value in environment.items():
        if name.upper().startswith(PREFIX) and name.upper().endswith("_FILE") and not value:
            raise InvalidSettings(f"{name} is empty. Set it to a file, or remove it.")


def _refuse_unknown(names: Iterable[str]) -> None:
    known = [variable.name for variable in list_variables()]
    for name in names:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise InvalidSettings(f"There is no setting {name}.{_nearest(name, known)} `facenet settings` lists all.")


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence, after a space, that names the nearest setting. Without a near one, it is empty.

    The prefix is not compared: all names have it, so that all would be near.
    """
    endings = [one.removeprefix(PREFIX) for one in known]
    nearest = difflib.get_close_matches(name.upper().removeprefix(PREFIX), endings, n=1)
    return f" The nearest is {PREFIX}{nearest[0]}." if nearest else ""
