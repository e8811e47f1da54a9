"""The calibration of a collection, over HTTP."""

from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from service.api.dependencies import Services
from service.domain.distances import squared_l2, unit
from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel
from service.gallery.records.statements.rules import calibration as calibration_statements
from tests.support.made_up_people import enrol_people, make_people

pytestmark = pytest.mark.anyio

OTHER_MODEL = EmbeddingModel("b" * 64, 128)


@pytest.fixture
def services(app: FastAPI) -> Services:
    found: Services = app.state.services
    return found


async def enrol(services: Services, collection: str, people: Mapping[str, Embeddings]) -> None:
    await enrol_people(services.gallery, id_of(collection), people, services.probes.loaded_model)


def id_of(collection: str) -> str:
    return collection.rpartition("/")[2]


async def measure(client: httpx.AsyncClient, collection: str) -> dict[str, Any]:
    answer = await client.post(f"{collection}/calibration")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def identify(client: httpx.AsyncClient, collection: str, photograph: bytes, **options: object) -> httpx.Response:
    params = {"collection": id_of(collection), **options}
    return await client.post("/identify", params=params, files={"image": photograph})  # type: ignore[arg-type]


async def test_the_rates_are_those_of_a_direct_count(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    people = make_people(60)
    await enrol(services, collection, people)
    measured = await measure(client, collection)
    embeddings = np.concatenate([*people.values()])
    distances = squared_l2(embeddings, embeddings)[np.triu_indices(60, 1)]
    for row in measured["own"]["rates"]:
        assert row["fmr"] == pytest.approx(np.mean(distances < row["threshold_sq_l2"]), rel=0.01)
        assert row["fmr_interval"][0] <= row["fmr"] <= row["fmr_interval"][1]
    assert (measured["own"]["people"], measured["own"]["non_mated_pairs"], measured["subjects"]) == (60, 1770, 60)


async def test_the_calibration_is_shown_beside_that_of_the_model(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol(services, collection, make_people(60))
    measured = await measure(client, collection)
    assert measured.pop("duplicates") == []
    assert (await client.get(f"{collection}/calibration")).json() == measured
    model = (await client.get("/model")).json()
    assert (measured["of_model"], measured["model"]) == (model["calibration"], model["id"])


async def test_with_one_face_of_each_subject_the_fnmr_is_null(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol(services, collection, make_people(60))
    assert {row["fnmr"] for row in (await measure(client, collection))["own"]["rates"]} == {None}


async def test_with_several_faces_of_thirty_subjects_the_fnmr_is_measured(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol(services, collection, make_people(30, faces=3))
    own = (await measure(client, collection))["own"]
    assert all(0 <= row["fnmr"] <= row["fnmr_interval"][1] for row in own["rates"])
    assert own["mated_pairs"] == 90


async def test_subjects_who_look_like_one_person_are_named_and_set_aside(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    people = make_people(60)
    noise = np.random.default_rng(7).normal(size=(1, 128)) / 40
    await enrol(services, collection, people | {"ada-again": unit((people["person-0003"] + noise).astype(np.float32))})
    measured = await measure(client, collection)
    assert [set(pair) for pair in measured["duplicates"]] == [{"person-0003", "ada-again"}]
    assert (measured["duplicate_subjects"], measured["subjects"], measured["own"]["people"]) == (1, 61, 60)


async def test_the_same_photograph_under_two_subjects_counts_for_neither(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    people = make_people(60)
    saved_again = unit((people["person-0003"] + np.float32(1e-4)).astype(np.float32))
    await enrol(services, collection, people | {"ada-again": saved_again})
    measured = await measure(client, collection)
    assert (measured["copies"], measured["own"]["people"]) == (2, 59)


async def test_a_search_uses_the_own_calibration_only_if_the_caller_says_so(
    client: httpx.AsyncClient, services: Services, collection: str, obama2: bytes
) -> None:
    await enrol(services, collection, make_people(200))
    own_rates = (await measure(client, collection))["own"]["rates"]
    of_model = (await identify(client, collection, obama2)).json()
    own = (await identify(client, collection, obama2, calibration="own", max_fpir=0.9)).json()
    assert (of_model["calibration"], own["calibration"]) == ("model", "own")
    assert own_rates[0]["threshold_sq_l2"] <= own["threshold"] <= own_rates[-1]["threshold_sq_l2"]
    assert own["fpir"] == pytest.approx(0.9)
    assert (await identify(client, collection, obama2, calibration="model")).json() == of_model


async def test_a_collection_can_be_set_to_its_own_calibration(
    client: httpx.AsyncClient, services: Services, collection: str, obama2: bytes
) -> None:
    await enrol(services, collection, make_people(60))
    await measure(client, collection)
    assert (await client.patch(collection, json={"calibration": "own"})).json()["calibration"] == "own"
    assert (await identify(client, collection, obama2)).json()["calibration"] == "own"
    assert (await identify(client, collection, obama2, calibration="model")).json()["calibration"] == "model"
    assert (await client.patch(collection, json={"expires_after_days": None})).json()["calibration"] == "own"
    assert (await client.patch(collection, json={"calibration": "model"})).json()["calibration"] == "model"
    assert (await identify(client, collection, obama2)).json()["calibration"] == "model"


async def test_after_a_deletion_a_search_uses_the_calibration_of_the_model(
    client: httpx.AsyncClient, services: Services, collection: str, obama2: bytes
) -> None:
    await enrol(services, collection, make_people(60))
    await measure(client, collection)
    await client.patch(collection, json={"calibration": "own"})
    deleted = await client.delete(f"{collection}/calibration")
    assert deleted.status_code == 204
    assert "x-deletion-receipt" not in deleted.headers
    assert (await identify(client, collection, obama2)).json()["calibration"] == "model"
    again = await client.delete(f"{collection}/calibration")
    assert (again.status_code, again.json()["code"]) == (404, "calibration_not_found")


async def test_without_a_calibration_of_its_own_none_can_be_used(
    client: httpx.AsyncClient, collection: str, obama2: bytes
) -> None:
    answers = [
        await client.get(f"{collection}/calibration"),
        await client.patch(collection, json={"calibration": "own"}),
        await identify(client, collection, obama2, calibration="own"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "calibration_not_found")] * 3
    assert (await client.get(collection)).json()["calibration"] == "model"


async def test_the_answer_has_the_lowest_fpir_that_can_be_asked_for(
    client: httpx.AsyncClient, services: Services, collection: str, obama2: bytes
) -> None:
    await enrol(services, collection, make_people(60, faces=2))
    measured = await measure(client, collection)
    assert measured["faces"] == 120
    for source, lowest in (("own", measured["lowest_fpir"]["own"]), ("model", measured["lowest_fpir"]["of_model"])):
        found = await identify(client, collection, obama2, calibration=source, max_fpir=lowest)
        refused = await identify(client, collection, obama2, calibration=source, max_fpir=0.89 * lowest)
        assert found.status_code == 200, found.text
        assert (refused.status_code, refused.json()["code"]) == (422, "rate_not_measured")


async def test_the_lowest_fpir_is_that_for_the_faces_that_are_enrolled_now(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol(services, collection, make_people(60))
    before = await measure(client, collection)
    await enrol(services, collection, {f"more-{name}": one for name, one in make_people(60, seed=1).items()})
    after = (await client.get(f"{collection}/calibration")).json()
    assert (before["faces"], after["faces"]) == (60, 120)
    assert after["lowest_fpir"]["of_model"] > before["lowest_fpir"]["of_model"]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
async def test_a_collection_of_few_people_is_refused(
    client: httpx.AsyncClient, services: Services, collection: str, count: int
) -> None:
    await enrol(services, collection, make_people(count))
    await client.put(f"{collection}/subjects/without-a-face", json={})
    answer = await client.post(f"{collection}/calibration")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_few_people")
    assert f"the collection has {count}." in answer.json()["detail"]


async def test_a_collection_of_one_person_under_many_names_is_refused(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    one = make_people(1, faces=60)["person-0000"]
    await enrol(services, collection, {f"name-{number}": one[number : number + 1] for number in range(60)})
    answer = await client.post(f"{collection}/calibration")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_few_people")


async def test_a_failed_measurement_leaves_the_calibration_as_it_was(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol(services, collection, make_people(60))
    await measure(client, collection)
    before = (await client.get(f"{collection}/calibration")).json()
    for subject in make_people(59):
        await client.delete(f"{collection}/subjects/{subject}")
    assert (await client.post(f"{collection}/calibration")).status_code == 409
    after = (await client.get(f"{collection}/calibration")).json()
    follow_the_faces = {"faces": 1, "lowest_fpir": after["lowest_fpir"]}
    assert after == before | follow_the_faces


async def test_a_collection_of_another_model_is_not_measured(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol_people(services.gallery, id_of(collection), make_people(60), OTHER_MODEL)
    answer = await client.post(f"{collection}/calibration")
    assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")


async def test_a_calibration_of_another_model_is_not_used(
    client: httpx.AsyncClient, services: Services, collection: str, obama2: bytes
) -> None:
    await enrol(services, collection, make_people(60))
    await measure(client, collection)
    stored = await services.gallery.get_calibration(id_of(collection))
    people = await services.gallery.draw_people(id_of(collection), services.probes.loaded_model)
    assert stored is not None
    with services.gallery.database.writing() as connection:
        other = stored.model_copy(update={"model_id": OTHER_MODEL.id})
        calibration_statements.save(connection, people.collection, other)
    answer = await identify(client, collection, obama2, calibration="own")
    assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
    assert (await client.get(f"{collection}/calibration")).json()["model"] == OTHER_MODEL.id


async def test_a_large_collection_is_measured_in_the_other_process(
    client: httpx.AsyncClient, services: Services, collection: str
) -> None:
    await enrol(services, collection, make_people(170, faces=3))
    assert (await measure(client, collection))["own"]["people"] == 170
    assert services.clustering.process.pid is not None


@pytest.mark.parametrize("value", ["both", "", "OWN"])
async def test_another_word_is_refused(client: httpx.AsyncClient, collection: str, obama2: bytes, value: str) -> None:
    for answer in (
        await client.patch(collection, json={"calibration": value}),
        await identify(client, collection, obama2, calibration=value),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
