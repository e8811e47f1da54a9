"""A client that sends a body that is too large gets the answer 413, and not a broken connection."""

import http.client
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

TOO_LARGE = 40 * 2**20


def test_urllib_gets_413(service: RunningService) -> None:
    request = urllib.request.Request(  # noqa: S310  # our own service
        f"{service.url}/embed", b"x" * TOO_LARGE, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)  # noqa: S310  # our own service
    assert caught.value.code == 413
    assert json.load(caught.value)["code"] == "body_too_large"


def test_curl_gets_413(service: RunningService, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    (tmp_path / "large").write_bytes(b"x" * TOO_LARGE)
    result = subprocess.run(
        [curl, "-sS", "-F", f"images=@{tmp_path / 'large'}", f"{service.url}/embed"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["code"] == "body_too_large"


def test_a_body_of_unknown_length_above_the_limit_is_413(service: RunningService) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(TOO_LARGE // 2**20):
            yield b"x" * 2**20

    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    connection.request("POST", "/embed", parts(), {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_the_service_still_answers_after_a_client_closes_its_connection(service: RunningService) -> None:
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
    connection.putrequest("POST", "/embed")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"{")
    connection.close()
    assert json.load(urllib.request.urlopen(f"{service.url}/readyz", timeout=30))["status"] == "ready"  # noqa: S310  # our own service
    assert not any('"event": "failed"' in line for line in service.log_lines)
