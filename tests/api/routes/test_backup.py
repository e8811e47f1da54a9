import io
import json
import tarfile
from hashlib import sha256

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_a_backup_is_an_archive_whose_manifest_describes_its_database(
    client: httpx.AsyncClient, collection: str, obama: bytes, model_id: str
) -> None:
    await client.put(f"{collection}/subjects/obama", json={})
    (await client.post(f"{collection}/subjects/obama/faces", files={"images": obama})).raise_for_status()
    answer = await client.post("/backup")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-tar"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getnames() == ["manifest.json", "gallery.sqlite3"]
        manifest_file, database = archive.extractfile("manifest.json"), archive.extractfile("gallery.sqlite3")
        assert manifest_file
        assert database
        manifest = json.loads(manifest_file.read())
        assert manifest["database_sha256"] == sha256(database.read()).hexdigest()
    assert model_id in manifest["models"]
    assert manifest["faces"] >= 1


async def test_a_backup_is_not_made_by_a_link(client: httpx.AsyncClient) -> None:
    assert (await client.get("/backup")).status_code == 405
    assert (await client.post("/backup?gallery=other")).status_code == 422
