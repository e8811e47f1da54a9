"""A body contains images, as files of a form or as JSON, and nothing else."""

import base64
import gzip
import json
import time

import httpx
import pytest

from service.api.schemas.images import Base64Image
from tests.support.sample_images import base64_image

pytestmark = pytest.mark.anyio

FORM_HEADERS = {"content-type": "multipart/form-data; boundary=x"}


def form_part(disposition: bytes, content: bytes) -> bytes:
    """Return a form with one part."""
    return b"--x\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + content + b"\r\n--x--\r\n"


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


async def test_a_misspelt_field_of_json_is_answered_with_the_nearest_one(client: httpx.AsyncClient) -> None:
    image = {"subject": "ada", "colection": "default"}
    answer = await client.post("/verify", json={"image_a": image, "imageB": image})
    detail = answer.json()["detail"]
    assert "body.imageB: There is no field imageB. Did you mean image_b? The fields here: image_a, image_b." in detail
    kind = "There is no field colection. Did you mean collection? The fields here: subject, collection."
    assert f"body.image_a.colection: {kind}" in detail


async def test_a_misspelt_part_of_a_form_is_answered_with_the_nearest_one(
    client: httpx.AsyncClient, obama: bytes
) -> None:
    answer = await client.post("/identify", files={"imge": obama})
    assert "There is no field imge. Did you mean image? The fields here: image." in answer.json()["detail"]


@pytest.mark.parametrize(
    "name", ["lovelace", "image_b\n", "<image_b>", "image_b" * 20, "im\u0430ge_b", "\u202eimage_b"]
)
async def test_an_unknown_field_that_is_no_misspelt_one_is_not_repeated(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post("/verify", json={name: {}})
    assert {"where": "body.(unknown)", "message": "There is no such field. The fields here: image_a, image_b."} in (
        answer.json()["errors"]
    )
    assert "lovelace" not in answer.text


async def test_json_that_is_sent_as_text_in_json_is_told_so(client: httpx.AsyncClient, collection: str) -> None:
    fields = {"metadata": json.dumps({"team": "engines"})}
    answer = await client.put(f"{collection}/subjects/ada", json=fields)
    assert "body.metadata: Send a JSON object" in answer.json()["detail"]
    answer = await client.put(f"{collection}/subjects/ada", json=json.dumps({"name": "Ada"}))
    assert "it was encoded twice" in answer.json()["detail"]


async def test_a_form_that_says_it_is_json_is_told_so(client: httpx.AsyncClient, collection: str) -> None:
    part = form_part(b'form-data; name="image"', b"x")
    for method, path in (("POST", "/identify"), ("PUT", f"{collection}/subjects/ada")):
        answer = await client.request(method, path, content=part, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")
        assert "The body is a form" in answer.json()["detail"]


async def test_json_that_says_it_is_a_form_is_told_so(client: httpx.AsyncClient) -> None:
    answer = await client.post("/identify", content=b"{}", headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_form")
    assert "If the body is JSON, its Content-Type is application/json." in answer.json()["detail"]


async def test_a_form_where_only_json_is_taken_is_told_so(client: httpx.AsyncClient, collection: str) -> None:
    answer = await client.put(f"{collection}/subjects/ada", data={"name": "Ada", "metadata": "{}"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "takes no form" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (b"obama.jpg", " It looks like the name of a file: send the file itself (curl: -F image=@FILE)."),
        (b'{"subject": "ada", "collection": "default"}', " It looks like JSON: then the whole body must be JSON."),
        (b"Notes of the meeting.\n", ""),
    ],
)
async def test_text_instead_of_a_file_is_told_so(client: httpx.AsyncClient, text: bytes, advice: str) -> None:
    part = form_part(b'form-data; name="image"', text)
    answer = await client.post("/identify", content=part, headers=FORM_HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")
    assert answer.json()["detail"].startswith(f"This is text, and not the bytes of an image.{advice} Send a JPEG")
    assert text.decode() not in answer.text


async def test_the_name_of_a_file_instead_of_a_file_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/identify", data={"image": "obama.jpg"}, files=[])
    assert answer.status_code == 415
    part = form_part(b'form-data; name="image"', b"obama.jpg")
    answer = await client.post("/identify", content=part, headers=FORM_HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")


@pytest.mark.parametrize(
    "disposition",
    [
        b'form-data; name="image"',
        b"form-data; name=image",
        b"form-data; name=\"image\"; filename*=UTF-8''J%C3%BCrgen.jpg",
        b'form-data; name="image"; filename=""',
        b'form-data; name="image"; filename="a.jpg"; filename*=UTF-8\'\'a.jpg',
        b'form-data; filename="a.jpg"; name="image"',
    ],
)
@pytest.mark.parametrize("padding", [0, 2**21])
async def test_a_part_of_an_image_field_is_a_file_with_or_without_a_file_name(
    client: httpx.AsyncClient, obama: bytes, disposition: bytes, padding: int
) -> None:
    part = form_part(disposition, obama + bytes(padding))
    answer = await client.post("/identify", content=part, headers=FORM_HEADERS)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["faces"]) == 1


async def test_an_image_under_the_name_of_another_request_is_named(client: httpx.AsyncClient) -> None:
    part = form_part(b'form-data; name="images"', bytes(2**21))
    answer = await client.post("/identify", content=part, headers=FORM_HEADERS)
    assert [error["where"] for error in answer.json()["errors"]] == ["body.image", "body.images"]


async def test_a_form_without_a_boundary_is_400_and_the_answer_names_the_boundary(client: httpx.AsyncClient) -> None:
    part = form_part(b'form-data; name="image"', b"x")
    answer = await client.post("/identify", content=part, headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_form")
    assert "no boundary" in answer.json()["detail"]


async def test_a_form_that_is_cut_off_is_400_and_the_answer_says_so(client: httpx.AsyncClient) -> None:
    part = form_part(b'form-data; name="image"; filename="a"', b"x" * 1000)[:500]
    answer = await client.post("/identify", content=part, headers=FORM_HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_form")
    assert "cut off" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/json", "content-encoding": "gzip"}, gzip.compress(b"{}", mtime=0)),
        ({"content-type": "application/json", "content-encoding": "br"}, b"{}"),
        ({"content-type": "application/json"}, gzip.compress(b"{}", mtime=0)),
        ({"content-type": "multipart/form-data; boundary=x"}, gzip.compress(b"--x--\r\n", mtime=0)),
        ({"content-type": "multipart/form-data; boundary=x", "content-encoding": "deflate"}, b"--x--\r\n"),
    ],
)
async def test_a_compressed_body_is_415_and_the_answer_says_so(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes
) -> None:
    answer = await client.post("/identify", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "compressed" in answer.json()["detail"]
    assert answer.headers["accept-encoding"] == "identity"


async def test_the_content_encoding_identity_is_accepted(client: httpx.AsyncClient, obama: bytes) -> None:
    headers = {"content-encoding": "Identity"}
    assert (await client.post("/identify", files={"image": obama}, headers=headers)).status_code == 200


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


ALL_BYTES = bytes(range(256))
BASE64 = base64.b64encode(ALL_BYTES).decode()


@pytest.mark.parametrize(
    "text",
    [
        BASE64,
        f"data:image/jpeg;base64,{BASE64}",
        BASE64.rstrip("="),
        base64.urlsafe_b64encode(ALL_BYTES).decode(),
        base64.urlsafe_b64encode(ALL_BYTES).decode().rstrip("="),
        base64.encodebytes(ALL_BYTES).decode(),
        base64.encodebytes(ALL_BYTES).decode().replace("\n", "\r\n"),
        f"data:image/jpeg;base64,{base64.encodebytes(ALL_BYTES).decode()}",
    ],
)
def test_base64_may_be_url_safe_in_lines_and_without_padding(text: str) -> None:
    assert "+" in BASE64
    assert "/" in BASE64
    assert BASE64.endswith("=")
    assert Base64Image.model_validate({"base64": text}).base64 == ALL_BYTES


@pytest.mark.parametrize(
    "text",
    [
        "obama.jpg",
        "AAAA AAAA",
        "AAA\tA",
        "A",
        "AAAAA",
        "=AAA",
        "AA==AA==",
        "A*AA",
        "AAA\u00e9",
        "data:,AA,AA",
        "%2B%2F",
    ],
)
async def test_text_that_is_not_base64_is_refused_and_the_answer_says_what_to_do(
    client: httpx.AsyncClient, text: str
) -> None:
    answer = await client.post("/identify", json={"image": {"base64": text}})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["where"] == "body.image.base64"
    assert "Encode the bytes of the file" in error["message"]


def test_30_mb_of_base64_are_decoded_in_less_than_three_seconds() -> None:
    text = base64.encodebytes(bytes(30 * 2**20)).decode()
    start_s = time.process_time()
    assert len(Base64Image.model_validate({"base64": text}).base64) == 30 * 2**20
    assert time.process_time() - start_s < 3


@pytest.mark.parametrize(
    ("image", "where"),
    [
        ({"base64": 1}, "body.images.0.base64"),
        ({"base64": ""}, "body.images.0.base64"),
        ({"base64": "*"}, "body.images.0.base64"),
        ({"base64": "AAAA", "unknown": 1}, "body.images.0.(unknown)"),
        ({"embedding": [1.0]}, "body.images.0.embedding"),
        ({"embedding": [1.0, "x"]}, "body.images.0.embedding.1"),
        ({"face": "-", "collection": "default"}, "body.images.0.face"),
        ({"subject": "ada"}, "body.images.0.collection"),
        ({}, "body.images.0"),
    ],
)
async def test_the_place_of_an_error_is_the_path_of_the_field_in_the_body(
    client: httpx.AsyncClient, image: dict[str, object], where: str
) -> None:
    answer = await client.post("/embed", json={"images": [image]})
    assert answer.json()["errors"][0]["where"] == where
