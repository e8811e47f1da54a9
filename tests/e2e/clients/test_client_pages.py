"""The code of the pages about clients runs, and prints what the pages say."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.answering_server import answering
from tests.support.browser import run_browser
from tests.support.documents import code_blocks
from tests.support.page_commands import LOCAL, run_python
from tests.support.running_service import RunningService, run_service
from tests.support.sample_images import png_without_face

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the photographs that the pages name."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "album").mkdir()
    obama, biden = photographs / "obama", photographs / "biden"
    files = {
        "a.jpg": obama / "obama.jpg",
        "b.jpg": obama / "obama2.jpg",
        "ada.jpg": obama / "obama.jpg",
        "ada2.jpg": obama / "obama2.jpg",
        "door.jpg": obama / "obama3.jpg",
        "album/1.jpg": obama / "obama.jpg",
        "album/2.jpg": obama / "obama2.jpg",
        "album/3.jpg": biden / "biden.jpg",
    }
    for name, photograph in files.items():
        shutil.copy(photograph, folder / name)
    (folder / "landscape.jpg").write_bytes(png_without_face())
    return folder


def test_the_python_of_the_page_prints_what_it_says(
    service: RunningService, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FACENET_URL", service.url)
    page = ROOT / "docs" / "python-client.md"
    assert len([block for block in code_blocks(page, "python") if block.prints]) > 5
    names = run_python(page, service.url, capsys)
    names["client"].close()


@pytest.mark.parametrize("page", ["README.md", "service/client/README.md"])
def test_the_python_of_a_readme_runs(
    service: RunningService, folder: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.chdir(ROOT if page == "README.md" else folder)
    monkeypatch.setenv("FACENET_URL", service.url)
    httpx.delete(f"{service.url}/collections/staff")
    (block,) = code_blocks(ROOT / page, "python")
    exec(compile(block.code.replace(f'"{LOCAL}", key="..."', ""), page, "exec"), {})  # noqa: S102  # the page


def written_scripts(folder: Path) -> dict[str, str | None]:
    """Write the scripts of the page into a folder, by the names in their first lines. Return what each prints."""
    prints: dict[str, str | None] = {}
    for block in code_blocks(ROOT / "docs" / "javascript.md", "js"):
        name = block.code.partition("\n")[0].removeprefix("// ")
        (folder / name).write_text(block.code, "utf-8")
        prints[name] = block.prints
    return prints


def test_the_javascript_of_the_page_prints_in_node_what_it_says(service: RunningService, folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    prints = written_scripts(folder)
    httpx.delete(f"{service.url}/collections/staff")
    environment = os.environ | {"FACENET_URL": service.url}
    command = [node, "example.mjs"]
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr) == (prints["example.mjs"], "")


def test_the_javascript_of_the_page_waits_while_the_service_is_busy(folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    written_scripts(folder)
    busy = (503, json.dumps({"code": "overloaded", "status": 503, "detail": "Busy."}).encode())
    call = (
        "import('./facenet.mjs').then(({Facenet}) => new Facenet(process.argv[1]).call('POST', '/x')).then(console.log)"
    )
    with answering(busy, busy, (200, b'{"a": 1}')) as (url, asked):
        result = subprocess.run(
            [node, "-e", call, url], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
    assert (result.stdout, result.stderr) == ("{ a: 1 }\n", "")
    assert asked == ["/x"] * 3


def test_the_html_of_the_page_compares_two_photographs_in_a_browser(
    models_dir: Path, folder: Path, tmp_path: Path
) -> None:
    written_scripts(folder)
    (html,) = code_blocks(ROOT / "docs" / "javascript.md", "html")
    with pages_in(folder) as origin, run_service(tmp_path / "data", models_dir, FACE_CORS_ORIGINS=origin) as service:
        (folder / "page.html").write_text(html.code.replace(LOCAL, service.url), "utf-8")
        with run_browser(tmp_path / "profile") as browser:
            browser.visit(f"{origin}/page.html")
            for field, photograph in (("a", "ada.jpg"), ("b", "ada2.jpg")):
                browser.choose_file(f"#{field}", folder / photograph)
            browser.run("document.getElementById('compare').click()")
            browser.wait_until("document.getElementById('answer').innerText !== ''")
            assert browser.run("document.getElementById('answer').innerText").startswith("The same person, score ")


@contextmanager
def pages_in(folder: Path) -> Iterator[str]:
    """Serve a folder, and yield its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves files, and prints nothing."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""
