"""The schemas of the client are those of the OpenAPI description."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from facenet_client import schemas
from facenet_client.schemas import IdentifiedFace, NewKeyAnswer, VerifyAnswer
from service.app import describe_app
from service.settings.environment import Settings
from tests.conftest import ROOT

CLIENT = ROOT / "service" / "client"
IMAGE = {"face": dict.fromkeys(schemas.FaceAnswer.model_fields), "faces_found": 1, "warnings": []}
VERIFIED = {
    "verified": True,
    "distance": 0.5,
    "score": 99.0,
    "threshold": 1.2,
    "fmr": None,
    "fnmr": None,
    "rates_missing": None,
    "image_a": IMAGE,
    "image_b": IMAGE,
    "model": {"name": "sface", "id": "0", "dimension": 128},
    "compared_with": None,
}


def test_the_schemas_are_those_of_the_api(tmp_path: Path) -> None:
    """If this fails, the API has changed: make client-schemas."""
    openapi = tmp_path / "openapi.json"
    openapi.write_text(json.dumps(describe_app(Settings()).openapi()), "utf-8")
    written = tmp_path / "schemas"
    written.mkdir()
    subprocess.run([sys.executable, CLIENT / "write_schemas.py", openapi, written], check=True, timeout=60)
    committed = CLIENT / "facenet_client" / "schemas"
    assert {file.name for file in written.iterdir()} | {"base.py"} == {file.name for file in committed.glob("*.py")}
    for file in written.iterdir():
        assert file.read_text("utf-8") == (committed / file.name).read_text("utf-8"), file.name


def test_an_answer_cannot_be_changed() -> None:
    answer = VerifyAnswer.model_validate(VERIFIED)
    with pytest.raises(ValidationError, match="frozen"):
        answer.verified = False  # type: ignore[misc]  # as a caller without types


def test_a_field_that_a_newer_service_adds_is_ignored() -> None:
    assert VerifyAnswer.model_validate(VERIFIED | {"liveness": 0.9}).verified


def test_a_new_value_of_a_field_is_accepted() -> None:
    fields = dict.fromkeys(IdentifiedFace.model_fields) | {"between": [], "candidates": [], "decision": "undecided"}
    decision: str = IdentifiedFace.model_validate(fields).decision
    assert decision == "undecided"


def test_a_field_that_is_missing_is_an_error() -> None:
    with pytest.raises(ValidationError, match="distance"):
        VerifyAnswer.model_validate({name: value for name, value in VERIFIED.items() if name != "distance"})


def test_the_repr_of_a_new_key_does_not_show_it() -> None:
    fields = dict.fromkeys(NewKeyAnswer.model_fields) | {"id": "1", "scopes": [], "images_today": 0, "valid": True}
    key = NewKeyAnswer.model_validate(fields | {"created_at": "2026-01-01T00:00:00Z", "key": "fk_1_secret"})
    assert key.key == "fk_1_secret"
    assert "secret" not in repr(key)
