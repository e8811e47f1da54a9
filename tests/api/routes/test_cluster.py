from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.anyio


def labels(answer: httpx.Response) -> list[int]:
    return [face["label"] for face in answer.json()["faces"]]


async def test_photographs_are_clustered_by_person(
    client: httpx.AsyncClient, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    files = [("images", data) for data in (obama, biden, obama2, png_without_face())]
    answer = await client.post("/cluster", files=files)
    assert [face["image"] for face in answer.json()["faces"]] == [0, 1, 2]
    first, second, third = labels(answer)
    assert first == third != second
    assert answer.json()["method"] == "agglomerative"
    cluster = next(cluster for cluster in answer.json()["clusters"] if cluster["size"] == 2)
    assert cluster["members"] == [0, 2]
    assert cluster["representative"] in cluster["members"]
    assert len(answer.json()["warnings"]) == 4


async def test_two_faces_of_one_photograph_are_two_people_unless_one_person_once_is_false(
    client: httpx.AsyncClient, same_person_twice: bytes
) -> None:
    labels_apart = labels(await client.post("/cluster", files={"images": same_person_twice}))
    assert len(set(labels_apart)) == 2
    labels_together = labels(await client.post("/cluster?one_person_once=false", files={"images": same_person_twice}))
    assert len(set(labels_together)) == 1
    assert (
        labels(await client.post("/cluster?one_person_once=true", files={"images": same_person_twice})) == labels_apart
    )


async def test_given_embeddings_are_clustered(client: httpx.AsyncClient, model_id: str) -> None:
    embeddings = np.eye(3, 128)[[0, 1, 0, 2]].tolist()
    answer = await client.post("/cluster", json={"embeddings": embeddings, "model": model_id})
    assert labels(answer)[0] == labels(answer)[2]
    assert answer.json()["faces"][3]["face"]["box"] is None
    assert answer.json()["warnings"] == []


async def test_a_collection_is_clustered_without_a_body(
    client: httpx.AsyncClient, collection: str, obama: bytes, obama2: bytes, biden: bytes
) -> None:
    await client.put(f"{collection}/subjects/somebody", json={})
    await client.post(
        f"{collection}/subjects/somebody/faces", files=[("images", photograph) for photograph in (obama, obama2, biden)]
    )
    answer = await client.post("/cluster", params={"collection": collection.rpartition("/")[2]})
    assert sorted(cluster["size"] for cluster in answer.json()["clusters"]) == [1, 2]
    assert {face["subject"] for face in answer.json()["faces"]} == {"somebody"}
    assert all(face["enrolled"] for face in answer.json()["faces"])


@pytest.mark.parametrize("method", ["agglomerative", "dbscan", "hdbscan", "kmeans"])
async def test_every_method_clusters(client: httpx.AsyncClient, model_id: str, method: str) -> None:
    embeddings = np.eye(3, 128)[[0] * 6 + [1] * 6 + [2] * 6].tolist()
    options: dict[str, Any] = {"method": method} | ({"n_clusters": 3} if method == "kmeans" else {})
    answer = await client.post("/cluster", params=options, json={"embeddings": embeddings, "model": model_id})
    assert answer.status_code == 200
    assert len(set(labels(answer))) == 3


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"method": "kmeans"}, 422, "invalid_option"),
        ({"method": "kmeans", "n_clusters": 4}, 422, "invalid_option"),
        ({"method": "spectral"}, 422, "invalid_request"),
        ({"n_clusters": 0}, 422, "invalid_request"),
        ({"one_person_once": "perhaps"}, 422, "invalid_request"),
        ({"one_person_once": "0"}, 422, "invalid_request"),
        ({"one_person_once": '"false"'}, 422, "invalid_request"),
        ({"collection": "default"}, 422, "invalid_option"),
        ({"threshold": 5}, 422, "invalid_request"),
    ],
)
async def test_invalid_options_are_refused(
    client: httpx.AsyncClient, model_id: str, options: dict[str, Any], status: int, code: str
) -> None:
    body = {"embeddings": np.eye(3, 128).tolist(), "model": model_id}
    answer = await client.post("/cluster", params=options, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_request_with_a_bad_embedding_is_refused_with_its_position(
    client: httpx.AsyncClient, model_id: str
) -> None:
    body = {"embeddings": [*np.eye(2, 128).tolist(), [0.0] * 128], "model": model_id}
    answer = await client.post("/cluster", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_embedding")
    assert answer.json()["image"] == "embeddings[2]"


async def test_more_faces_than_the_limit_are_refused(client: httpx.AsyncClient, model_id: str) -> None:
    body = {"embeddings": np.eye(128).tolist() * 2, "model": model_id}
    answer = await client.post("/cluster", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")
    assert "200" in answer.json()["detail"]


async def test_a_request_without_faces_is_refused(client: httpx.AsyncClient, model_id: str) -> None:
    assert (await client.post("/cluster")).json()["code"] == "invalid_option"
    assert (await client.post("/cluster", json={"model": model_id})).json()["code"] == "invalid_request"
    assert (await client.post("/cluster?collection=nowhere")).status_code == 404


async def test_embeddings_of_another_model_are_refused(client: httpx.AsyncClient) -> None:
    body = {"embeddings": np.eye(2, 128).tolist(), "model": "f" * 64}
    answer = await client.post("/cluster", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")


async def test_more_photographs_than_a_request_may_have_are_to_be_enrolled_first(client: httpx.AsyncClient) -> None:
    answer = await client.post("/cluster", files=[("images", b"photograph")] * 65)
    assert answer.status_code == 422
    assert "Enrol them in a collection and cluster that" in answer.json()["detail"]
