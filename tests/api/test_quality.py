"""The quality of a face in answers, and what low quality leads to."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageFilter

from service.app import open_app
from service.settings.environment import Settings
from service.settings.groups import Models
from tests.support.asgi_client import connect_to_app
from tests.support.sample_images import base64_image

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def blurred(obama: bytes) -> bytes:
    """Return a photograph in which a face is found, but cannot be recognised."""
    file = io.BytesIO()
    Image.open(io.BytesIO(obama)).convert("RGB").filter(ImageFilter.GaussianBlur(14)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
async def subject(client: httpx.AsyncClient, collection: str) -> str:
    """Create a subject, and return the path of its faces."""
    await client.put(f"{collection}/subjects/obama", json={})
    return f"{collection}/subjects/obama/faces"


def codes(answer: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in answer["warnings"]]


async def test_every_answer_with_a_face_has_its_quality(
    client: httpx.AsyncClient, subject: str, obama: bytes, obama2: bytes
) -> None:
    verified = (await client.post("/verify", files={"image_a": obama, "image_b": obama2})).json()
    embedded = (await client.post("/embed", files={"images": obama})).json()
    identified = (await client.post("/identify", files={"image": obama})).json()
    clustered = (await client.post("/cluster", files={"images": obama})).json()
    enrolled = (await client.post(subject, files={"images": obama})).json()
    qualities = [
        verified["image_a"]["face"]["quality"],
        embedded["images"][0]["faces"][0]["quality"],
        identified["faces"][0]["quality"],
        clustered["faces"][0]["face"]["quality"],
        enrolled["results"][0]["quality"],
    ]
    assert all(quality == qualities[0] for quality in qualities)
    assert qualities[0]["score"] > 0.9
    assert qualities[0]["reasons"] == []
    assert qualities[0]["measures"]["face_width_px"] == pytest.approx(240, abs=5)


async def test_verify_and_identify_warn_of_low_quality(client: httpx.AsyncClient, obama: bytes, blurred: bytes) -> None:
    verified = (await client.post("/verify", files={"image_a": obama, "image_b": blurred})).json()
    identified = (await client.post("/identify", files={"image": blurred})).json()
    assert codes(verified["image_a"]) == []
    assert codes(verified["image_b"]) == codes(identified) == ["low_quality"]
    assert "blurred" in identified["faces"][0]["quality"]["reasons"]


async def test_a_face_of_low_quality_is_not_enrolled_and_the_measure_is_named(
    client: httpx.AsyncClient, subject: str, blurred: bytes
) -> None:
    answer = await client.post(subject, files={"images": blurred})
    (result,) = answer.json()["results"]
    assert (answer.status_code, result["status"], result["code"]) == (422, "refused", "low_quality")
    assert "blurred (sharpness is " in result["detail"]
    assert result["quality"]["score"] < 0.5
    assert result["box"] is not None
    assert (await client.get(subject)).json()["items"] == []


async def test_with_min_quality_0_every_face_is_enrolled_with_a_warning(
    client: httpx.AsyncClient, subject: str, blurred: bytes
) -> None:
    answer = await client.post(subject, params={"min_quality": 0}, files={"images": blurred})
    (result,) = answer.json()["results"]
    assert (answer.status_code, result["status"], codes(result)) == (201, "enrolled", ["low_quality"])


async def test_a_stricter_minimum_refuses_a_good_face(client: httpx.AsyncClient, subject: str, obama: bytes) -> None:
    answer = await client.post(subject, params={"min_quality": 0.999}, files={"images": obama})
    assert answer.json()["results"][0]["code"] == "low_quality"


async def test_an_embedding_has_no_quality_and_is_enrolled(
    client: httpx.AsyncClient, subject: str, obama_embedding: list[float], model_id: str
) -> None:
    image = {"embedding": obama_embedding, "model": model_id}
    answer = await client.post(subject, params={"min_quality": 1}, json={"images": [image]})
    assert (answer.status_code, answer.json()["results"][0]["quality"]) == (201, None)


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "much"])
async def test_a_minimum_out_of_range_is_refused(
    client: httpx.AsyncClient, subject: str, obama: bytes, value: str
) -> None:
    answer = await client.post(subject, params={"min_quality": value}, json={"images": [base64_image(obama)]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.fixture
async def client_without_weights(models_dir: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Connect to a service whose model has no weights for the quality score."""
    settings = Settings(data_dir=tmp_path, models=Models(dir=models_dir, embedder=NO_WEIGHTS))
    async with open_app(settings) as app, connect_to_app(app) as client:
        yield client


NO_WEIGHTS = "compact"


async def test_a_model_without_weights_has_reasons_and_no_score(
    client_without_weights: httpx.AsyncClient, blurred: bytes
) -> None:
    answer = (await client_without_weights.post("/embed", files={"images": blurred})).json()
    quality = answer["images"][0]["faces"][0]["quality"]
    assert quality["score"] is None
    assert "blurred" in quality["reasons"]


async def test_a_model_without_weights_cannot_check_a_minimum(
    client_without_weights: httpx.AsyncClient, obama: bytes
) -> None:
    faces = "/collections/default/subjects/ada/faces"
    await client_without_weights.put("/collections/default/subjects/ada", json={})
    refused = await client_without_weights.post(faces, params={"min_quality": 0.5}, files={"images": obama})
    taken = await client_without_weights.post(faces, files={"images": obama})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_option")
    assert taken.status_code == 201
