"""Hostile files against a running service: each is refused with a clear answer, and the service still verifies."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.hostile_images import HARMLESS, REFUSED
from tests.support.running_service import RunningService

pytestmark = pytest.mark.slow

FILES_PER_REQUEST = 24
BODY_BYTES = 30_000_000
ADDED_MIB = 600
REFUSALS = {"image_too_complex", "image_too_large", "unreadable_image"}


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def memory_mib(service: RunningService, name: str) -> float:
    """Return the memory of the process: VmRSS now, or VmHWM, the most since its start."""
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
    (kilobytes,) = re.findall(rf"{name}:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


def assert_verifies(client: httpx.Client, photographs: Path) -> None:
    images = ("obama/obama.jpg", "obama/obama2.jpg")
    files = {
        name: (photographs / image).read_bytes() for name, image in zip(("image_a", "image_b"), images, strict=True)
    }
    assert client.post("/verify", files=files).json()["verified"] is True


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_alone_and_many_times_in_one_request(
    service: RunningService, client: httpx.Client, photographs: Path, name: str
) -> None:
    assert_verifies(client, photographs)
    idle_mib = memory_mib(service, "VmRSS")
    file = REFUSED[name]()
    alone = client.post("/verify", files={"image_a": file, "image_b": file})
    many = client.post("/embed", files=[("images", file)] * min(FILES_PER_REQUEST, BODY_BYTES // len(file)))
    for answer in (alone, many):
        assert answer.status_code == 422
        assert answer.json()["code"] in REFUSALS
        assert answer.json()["detail"]
    assert_verifies(client, photographs)
    assert memory_mib(service, "VmHWM") < idle_mib + ADDED_MIB


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_file_is_read(client: httpx.Client, name: str) -> None:
    answer = client.post("/embed", files={"images": HARMLESS[name]()})
    assert (answer.status_code, answer.json()["images"][0]["faces"]) == (200, [])
