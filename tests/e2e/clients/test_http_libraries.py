"""Uploads as usual HTTP libraries send them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

NODE_SCRIPT = """
const fs = require("fs");
const [url, path, named] = process.argv.slice(1);
const form = new FormData();
const photograph = new Blob([fs.readFileSync(path)], {type: "image/jpeg"});
if (named === "named") form.append("image", photograph, "photograph.jpg"); else form.append("image", photograph);
fetch(url + "/identify", {method: "POST", body: form}).then(answer => answer.text()).then(console.log);
"""


@pytest.fixture(scope="module")
def photograph(photographs: Path) -> Path:
    return photographs / "obama" / "obama.jpg"


def faces_found(answer: dict[str, Any]) -> int:
    assert "faces" in answer, answer
    return len(answer["faces"])


def output_of(*command: str) -> Any:
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", ["photograph.jpg", "J\u00fcrgen \u5f20.jpg", 'with "quotes".jpg', ""])
@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_a_form_of_httpx_and_requests(service: RunningService, photograph: Path, library: str, name: str) -> None:
    post = pytest.importorskip(library).post
    answer = post(f"{service.url}/identify", files={"image": (name, photograph.read_bytes())}, timeout=30)
    assert faces_found(answer.json()) == 1


def test_a_form_of_requests_without_a_file_name(service: RunningService, photograph: Path) -> None:
    post = pytest.importorskip("requests").post
    answer = post(f"{service.url}/identify", files={"image": (None, photograph.read_bytes())}, timeout=30)
    assert faces_found(answer.json()) == 1


@pytest.mark.parametrize("arguments", [[], ["-H", "Transfer-Encoding: chunked"], ["--http1.0"], ["-H", "Expect:"]])
def test_a_form_of_curl(service: RunningService, photograph: Path, arguments: list[str]) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    answer = output_of(curl, "-sS", *arguments, "-F", f"image=@{photograph}", f"{service.url}/identify")
    assert faces_found(answer) == 1


def test_a_form_of_curl_without_a_file_name(service: RunningService, photograph: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    answer = output_of(curl, "-sS", "-F", f"image=<{photograph}", f"{service.url}/identify")
    assert faces_found(answer) == 1


@pytest.mark.parametrize("named", ["named", "unnamed"])
def test_a_form_of_fetch_in_node(service: RunningService, photograph: Path, named: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    answer = output_of(node, "-e", NODE_SCRIPT, service.url, str(photograph), named)
    assert faces_found(answer) == 1
