"""The service behind a reverse proxy, under a sub-path: its pages, its description and its answers work."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.support.reverse_proxy import run_reverse_proxy
from tests.support.running_service import STOP_TIMEOUT_S, RunningService, run_service
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow

SUB_PATH = "/tools/faces"
HOST = "faces.example.com"
README = (Path(__file__).parents[3] / "service" / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def service_under_sub_path(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    settings = {"FACE_ROOT_PATH": SUB_PATH, "FACE_TRUSTED_PROXIES": "127.0.0.1", "FACE_ALLOWED_HOSTS": HOST}
    with run_service(tmp_path_factory.mktemp("home") / "data", models_dir, **settings) as service:
        yield service


@pytest.mark.parametrize("removes_sub_path", [True, False])
def test_everything_works_under_a_sub_path(service_under_sub_path: RunningService, *, removes_sub_path: bool) -> None:
    with run_reverse_proxy(service_under_sub_path.url, SUB_PATH, removes_sub_path=removes_sub_path) as url:
        check_pages(url)
        check_calls(url)


def test_the_service_also_answers_without_the_sub_path(service_under_sub_path: RunningService) -> None:
    assert httpx.get(f"{service_under_sub_path.url}/readyz").status_code == 200


def test_the_nginx_example_of_the_readme_works(service_under_sub_path: RunningService, tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    with run_nginx(nginx, service_under_sub_path.url, tmp_path) as url:
        check_pages(url)
        check_calls(url)
        for path in ("backup", "keys", "keys/3f9c0a7be214/rotate", "metrics"):
            assert (httpx.get(f"{url}/{path}").status_code, path) == (404, path)


def check_pages(url: str) -> None:
    """Load the pages as a browser does: their scripts, their styles, and the description that one of them names."""
    assert httpx.get(f"{url}/").json()["docs"] == f"{SUB_PATH}/docs"
    console = httpx.get(f"{url}/", headers={"Accept": "text/html"}).text
    for link in re.findall(r'(?:src|href)="(console/[^"]+)"', console):
        assert httpx.get(urljoin(f"{url}/", link)).status_code == 200, link
    page = httpx.get(f"{url}/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url: '([^']+)'", page)
    assert len(loaded) == 4
    for link in loaded:
        assert httpx.get(urljoin(f"{url}/docs", link)).status_code == 200, link
    description = httpx.get(f"{url}/openapi.json").json()
    assert description["servers"] == [{"url": SUB_PATH}]


def check_calls(url: str) -> None:
    answer = httpx.post(f"{url}/identify", files={"image": png_without_face()}, timeout=30)
    assert (answer.status_code, answer.json()["faces"]) == (200, [])
    assert httpx.put(f"{url}/collections/staff").status_code in {200, 201}
    assert httpx.get(f"{url}/collections/nowhere").json()["code"] == "collection_not_found"
    assert httpx.request("OPTIONS", f"{url}/verify").headers["allow"] == "POST"
    large = httpx.post(f"{url}/identify", files={"image": bytes(33 * 2**20)}, timeout=30)
    assert large.status_code == 413


@contextmanager
def run_nginx(nginx: str, upstream: str, folder: Path) -> Iterator[str]:
    """Run nginx with the server block of the README, at another port and in front of this service."""
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        port = unused_socket.getsockname()[1]
    (block,) = re.findall(r"```nginx\n(.*?)```", README, re.DOTALL)
    block = block.replace("listen 80", f"listen 127.0.0.1:{port}").replace("/faces", SUB_PATH)
    block = block.replace("127.0.0.1:8000", urlsplit(upstream).netloc)
    configuration = folder / "nginx.conf"
    configuration.write_text(f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ {block} }}", "utf-8")
    with subprocess.Popen([nginx, "-p", str(folder), "-c", str(configuration)]) as process:
        wait_until_it_listens(port)
        yield f"http://127.0.0.1:{port}{SUB_PATH}"
        process.terminate()


def wait_until_it_listens(port: int) -> None:
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            continue
        return
    pytest.fail("nginx does not listen")
