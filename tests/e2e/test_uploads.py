"""A body that is too large is refused so that ordinary clients see the answer, and not a broken connection."""

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

from tests.served import Served

TOO_LARGE = 40 * 2**20


def test_urllib_sees_413(served: Served) -> None:
    request = urllib.request.Request(  # noqa: S310  # our own service
        f"{served.url}/embed", b"x" * TOO_LARGE, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)  # noqa: S310  # our own service
    assert caught.value.code == 413
    assert json.load(caught.value)["code"] == "body_too_large"


def test_curl_sees_413(served: Served, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    (tmp_path / "large").write_bytes(b"x" * TOO_LARGE)
    done = subprocess.run(
        [curl, "-sS", "-F", f"images=@{tmp_path / 'large'}", f"{served.url}/embed"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["code"] == "body_too_large"


def test_a_body_of_unknown_length_is_cut_at_the_limit(served: Served) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(TOO_LARGE // 2**20):
            yield b"x" * 2**20

    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=30)
    connection.request("POST", "/embed", parts(), {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_the_service_goes_on_after_a_client_that_breaks_off(served: Served) -> None:
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=30)
    connection.putrequest("POST", "/embed")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"{")
    connection.close()
    assert json.load(urllib.request.urlopen(f"{served.url}/readyz", timeout=30))["status"] == "ready"  # noqa: S310  # our own service
    assert not any('"event": "failed"' in line for line in served.lines)
