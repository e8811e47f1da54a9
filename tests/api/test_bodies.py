"""A body contains images, as files of a form or as JSON, and nothing else."""

import base64

import httpx
import pytest

from tests.support.sample_images import base64_image

pytestmark = pytest.mark.anyio


async def test_the_error_of_an_option_in_the_body_names_the_query(client: httpx.AsyncClient, obama: bytes) -> None:
    body = {"image_a": base64_image(obama), "image_b": base64_image(obama), "threshold": 1.0}
    answer = await client.post("/verify", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "where": "body.threshold",
            "message": "Options go into the query, such as ?threshold=1.1, and not into the body.",
        }
    ]


async def test_the_error_of_a_text_part_of_a_form_names_the_query(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/identify", files={"image": obama}, data={"collection": "default"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "body.collection"
    assert "query" in answer.json()["errors"][0]["message"]


async def test_an_image_as_a_text_part_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/identify", data={"image": "obama.jpg"}, files={"other": b""})
    assert answer.status_code == 422
    assert "An image is a file of a form" in answer.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_415(client: httpx.AsyncClient, content_type: str) -> None:
    answer = await client.post("/identify", content=b"{}", headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff",
        b'{"image": NaN',
        b'{"image": {"face": "\xff", "collection": "default"}}',
        b'{"image": {"face": "\\ud800", "collection": "default"}}',
        b'{"image": ' + b"[" * 100_000,
        "{}".encode("utf-16"),
    ],
)
async def test_broken_json_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/identify", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


async def test_nan_in_json_is_refused_and_not_repeated(client: httpx.AsyncClient, model_id: str) -> None:
    body = f'{{"image": {{"embedding": [NaN, 1.0], "model": "{model_id}"}}}}'
    answer = await client.post("/identify", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert "NaN" not in answer.text


async def test_a_broken_form_is_400(client: httpx.AsyncClient) -> None:
    answer = await client.post("/identify", content=b"--x\r\n", headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_form")


async def test_two_files_instead_of_one_are_refused(client: httpx.AsyncClient, obama: bytes) -> None:
    answer = await client.post("/identify", files=[("image", obama), ("image", obama)])
    assert answer.status_code == 422


async def test_more_images_than_the_limit_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/embed", files=[("images", b"x")] * 17)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")
    assert "16" in answer.json()["detail"]


async def test_a_body_larger_than_the_limit_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post("/embed", files={"images": b"x" * (9 * 2**20)})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_lone_surrogate_is_invalid_json(client: httpx.AsyncClient, collection: str) -> None:
    """RFC 8259, section 8.2: software that receives a lone surrogate behaves unpredictably."""
    body = rb'{"name": "\ud800", "metadata": {"\udfff": 1}}'
    headers = {"content-type": "application/json"}
    answer = await client.put(f"{collection}/subjects/ada", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    "metadata", [b'{"a": 1e999}', b'{"a": -1e999}', b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b"[" * 300]
)
async def test_numbers_that_are_too_large_and_nesting_that_is_too_deep_are_refused(
    client: httpx.AsyncClient, collection: str, metadata: bytes
) -> None:
    body, headers = b'{"metadata": ' + metadata + b"}", {"content-type": "application/json"}
    answer = await client.put(f"{collection}/subjects/ada", content=body, headers=headers)
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    "metadata", [{"a": 10**4000}, {"a": 2**63}, {"": {"": [None, True, 1e308, -0.0]}}, {"a": "\x00\u202e\U0001f600"}]
)
async def test_metadata_is_returned_unchanged(
    client: httpx.AsyncClient, collection: str, metadata: dict[str, object]
) -> None:
    await client.put(f"{collection}/subjects/ada", json={"metadata": metadata})
    assert (await client.get(f"{collection}/subjects/ada")).json()["metadata"] == metadata


@pytest.mark.parametrize(
    ("part", "status", "code"),
    [
        (b"no header at all", 400, "invalid_form"),
        (b"\r\nno name", 400, "invalid_form"),
        (b"content-type: image/jpeg\r\n\r\n", 400, "invalid_form"),
        (b"content-disposition: form-data\r\n\r\n", 400, "invalid_form"),
        (b"a: b\r\n" * 100 + b"\r\n", 400, "invalid_form"),
        (b"content-disposition: form-data; name=" + b"x" * 100_000 + b"\r\n\r\n", 400, "invalid_form"),
        (b"content-disposition: form-data; name=image; filename=\r\n\r\n", 422, "unreadable_image"),
        (b"content-disposition: form-data; name=\xff; filename=a\r\n\r\n", 422, "invalid_request"),
    ],
)
async def test_invalid_parts_of_a_form_are_refused(
    client: httpx.AsyncClient, part: bytes, status: int, code: str
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await client.post("/identify", content=b"--x\r\n" + part + b"\r\n--x--\r\n", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("charset", ["undefined", "idna", "utf-7", "hex", "unknown", "\u00e9"])
async def test_the_charset_of_a_form_does_not_matter(client: httpx.AsyncClient, charset: str) -> None:
    part = b'--x\r\ncontent-disposition: form-data; name="\xe9a"\r\n\r\n\xff\r\n--x--\r\n'
    headers = {b"content-type": f"multipart/form-data; charset={charset}; boundary=x".encode("latin-1")}
    answer = await client.post("/identify", content=part, headers=headers)
    assert answer.status_code in {400, 422}


async def test_base64_in_several_lines_is_refused(client: httpx.AsyncClient, obama: bytes) -> None:
    image = {"base64": base64.encodebytes(obama).decode()}
    answer = await client.post("/identify", json={"image": image})
    assert answer.status_code == 422
    assert "in one line" in answer.json()["errors"][0]["message"]
