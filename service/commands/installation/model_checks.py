"""Checks of the model files: they are there, have the right sha256, fit their cards, and ONNX Runtime opens them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from service.commands.installation.finding import Findings
from service.domain.command_errors import ModelFileError
from service.model_files.card import DetectorCard, EmbedderCard, LandmarksCard
from service.model_files.catalogue import ModelSource, find_int8, find_model
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model
from service.settings.environment import Settings
from service.settings.pipeline import SAME_MODEL

C = TypeVar("C", EmbedderCard, DetectorCard, LandmarksCard)
NEXT = "next embedder"
WITH_INT8 = {"auto", "int8"}
"""Values of FACE_INFERENCE__PRECISION that use the file of the embedder in 8-bit integers."""


def check_models(findings: Findings, settings: Settings) -> None:
    """Check the files of all models that the settings name."""
    models = settings.models
    first = _check_model(findings, settings, "embedder", models.embedder, EmbedderCard)
    _check_model(findings, settings, "detector", models.detector, DetectorCard)
    if models.landmarks != "detector":
        _check_model(findings, settings, "landmarks", models.landmarks, LandmarksCard)
    _check_int8(findings, settings, "embedder in int8", models.embedder)
    if models.next_embedder is not None:
        second = _check_model(findings, settings, NEXT, models.next_embedder, EmbedderCard)
        if first and second and first.id == second.id:
            findings.fault(NEXT, SAME_MODEL)
        _check_int8(findings, settings, f"{NEXT} in int8", models.next_embedder)


def _check_model(findings: Findings, settings: Settings, about: str, name: str, card: type[C]) -> C | None:
    """Return the card of a model. None if the model cannot be used."""
    with findings.faults_of(about):
        role: str = card.model_fields["role"].default
        source = find_model(name, settings.models.dir, settings.models.zoo, role=role)
        with _asks_for_folder(source.path):
            return _check_file(findings, about, source, card)
    return None


@contextmanager
def _asks_for_folder(file: Path) -> Iterator[None]:
    """Add to the error of a missing file that the current folder may be the wrong one, if its path begins there."""
    try:
        yield
    except ModelFileError as error:
        if file.is_absolute() or file.exists():
            raise
        advice = f"If {Path.cwd()} is not the folder of the service, run facenet doctor in that folder."
        raise ModelFileError(f"{error}. {advice} FACE_MODELS__DIR says where the models are.") from None


def _check_int8(findings: Findings, settings: Settings, about: str, name: str) -> None:
    """Check the file of an embedder in 8-bit integers, if the settings use one."""
    if settings.inference.precision not in WITH_INT8:
        return
    with findings.faults_of(about):
        source = find_int8(name, settings.models.dir, settings.models.zoo)
        if source is None:
            findings.ok(about, f"the catalogue has none of {name}, so float32 is used")
        elif not source.path.exists() and settings.inference.precision == "auto":
            advice = f"facenet-models pull {source.path.stem} makes it. It can be faster on this machine."
            findings.note(about, f"{source.path} does not exist, so float32 is used. {advice}")
        else:
            _check_file(findings, about, source, EmbedderCard)


def _check_file(findings: Findings, about: str, source: ModelSource, card: type[C]) -> C:
    """Open a model file, and return its card. Raises ModelFileError."""
    opened = open_model(source.path, card, Execution(), source.sha256)
    known = "the sha256 is that of the catalogue" if source.sha256 else "its sha256 is not in the catalogue"
    findings.ok(about, f"{opened.card.name}, {source.path}: {known}")
    return opened.card
