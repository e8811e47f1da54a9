"""A gallery stays usable when the precision of the embedder changes, with the real files."""

from pathlib import Path

import pytest

from service.app import open_app
from service.settings.environment import Settings
from service.settings.groups import Inference, Models
from tests.support.asgi_client import connect_to_app

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.parametrize("precision", ["int8", "auto"])
async def test_a_gallery_of_float32_is_searched_and_extended_in_another_precision(
    precision: str, models_dir: Path, obama: bytes, biden: bytes, tmp_path: Path
) -> None:
    in_float32 = Settings(data_dir=tmp_path, models=Models(dir=models_dir), inference=Inference(precision="float32"))
    in_other = Settings(
        data_dir=tmp_path, models=Models(dir=models_dir), inference=Inference.model_validate({"precision": precision})
    )
    async with open_app(in_float32) as app, connect_to_app(app) as client:
        before = (await client.get("/model")).json()
        await client.put("/collections/people")
        await client.put("/collections/people/subjects/obama", json={})
        enrolled = await client.post("/collections/people/subjects/obama/faces", files={"images": obama})
    async with open_app(in_other) as app, connect_to_app(app) as client:
        found = await client.post("/identify", params={"collection": "people"}, files={"image": obama})
        await client.put("/collections/people/subjects/biden", json={})
        added = await client.post("/collections/people/subjects/biden/faces", files={"images": biden})
        after = (await client.get("/model")).json()

    assert enrolled.status_code == added.status_code == 201
    assert found.json()["compared_with"] is None
    assert found.json()["faces"][0]["decision"] == "match"
    assert after["id"] == before["id"]
