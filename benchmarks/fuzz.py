"""Changed images of every format, and changed bodies, against a running service: none may be answered with a 5xx.

    python -m benchmarks.fuzz [--images 20000] [--bodies 20000] [--seed 0]

The images are small, so that most of the time goes into reading files and not into the search for faces. The command
prints the answers by status and code. It fails if an answer has a status of 500 or more, if the service ends, or if its
memory grows by more than ADDED_MIB. After a failure, the same seed repeats the same requests.
"""

import argparse
import base64
import io
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pillow_heif
from PIL import Image

from tests.support.running_service import RunningService, run_service

ROOT = Path(__file__).parent.parent
IMAGES_PER_REQUEST = 16
ADDED_MIB = 200
MAX_PIXELS = 4_000_000
MAX_CHANGES = 6
ENROLMENT = "/collections/default/subjects/ada/faces"
"""An enrolment names the outcome of each image. No image has a face, so nothing is enrolled."""

EXTREME_BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1")

FORMATS: dict[str, list[tuple[str, dict[str, object]]]] = {
    "JPEG": [("JPEG", {}), ("JPEG", {"progressive": True}), ("MPO", {"save_all": True})],
    "PNG": [("PNG", {}), ("PNG", {"save_all": True})],
    "WebP": [("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"save_all": True})],
    "AVIF": [("AVIF", {}), ("AVIF", {"save_all": True})],
    "HEIC": [("HEIF", {}), ("HEIF", {"tile_size": 64})],
    "BMP": [("BMP", {})],
    "GIF": [("GIF", {}), ("GIF", {"save_all": True})],
}
"""The files that are changed, by format: Pillow's name of the format, and options."""

Answers = Counter[tuple[int, str]]
"""Answers by status and code."""


def main() -> None:
    """Send all requests, and print the answers."""
    arguments = _parse_arguments()
    # A changed header may announce any size. With fewer pixels, growth of memory is not hidden behind large pictures.
    settings = {"FACE_LIMITS__PIXELS": str(MAX_PIXELS)}
    models = ROOT / "var" / "models"
    with TemporaryDirectory() as folder, run_service(Path(folder) / "data", models, **settings) as service:
        client = httpx.Client(base_url=service.url, timeout=120)
        client.put("/collections/default/subjects/ada", json={})
        client.post(ENROLMENT, files={"images": next(_seeds("PNG"))})
        idle_mib = _memory_mib(service, "VmRSS")
        failures = 0
        for name in FORMATS:
            rng = random.Random(f"{arguments.seed} {name}")  # noqa: S311  # repeatable, not secret
            failures += _report(name, _send_images(client, name, arguments.images, rng))
        rng = random.Random(arguments.seed)  # noqa: S311  # as above
        failures += _report("bodies", _send_bodies(client, arguments.bodies, rng))
        added_mib = _memory_mib(service, "VmHWM") - idle_mib
        print(f"memory: {idle_mib:.0f} MiB at rest, at most {added_mib:.0f} MiB more")
        is_healthy = service.process.poll() is None and client.get("/readyz").status_code == 200
    sys.exit(failures > 0 or added_mib > ADDED_MIB or not is_healthy)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000, help="of each format")
    parser.add_argument("--bodies", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _report(name: str, answers: Answers) -> int:
    """Print the answers, and return how many have a status of 500 or more."""
    print(f"{name}: {sum(answers.values()):,}", flush=True)
    for (status, code), count in answers.most_common():
        print(f"    {count:7,} {status} {code}", flush=True)
    return sum(count for (status, _), count in answers.items() if status >= 500)


def _memory_mib(service: RunningService, name: str) -> float:
    """Return VmRSS, the memory now, or VmHWM, the most since the start of the process (proc(5))."""
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
    (kib,) = re.findall(rf"{name}:\s+(\d+) kB", status)
    return int(kib) / 1024


def _send_images(client: httpx.Client, name: str, count: int, rng: random.Random) -> Answers:
    seeds = list(_seeds(name))
    answers: Answers = Counter()
    for start in range(0, count, IMAGES_PER_REQUEST):
        batch = [_change(rng.choice(seeds), seeds, rng) for _ in range(min(IMAGES_PER_REQUEST, count - start))]
        answer = client.post(ENROLMENT, files=[("images", image) for image in batch])
        results = answer.json().get("results", [])
        answers.update([(answer.status_code, result["code"] or "") for result in results] or [_outcome(answer)])
    return answers


def _seeds(name: str) -> Iterator[bytes]:
    """Yield the files of a format."""
    pillow_heif.register_heif_opener()
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((48, 40)) for _ in range(3)]
    tags = Image.Exif()
    tags[0x0112] = 6
    for kind, options in FORMATS[name]:
        file = io.BytesIO()
        more = {"append_images": frames[1:]} if "save_all" in options else {}
        exif = {} if more or kind in {"BMP", "GIF"} else {"exif": tags.tobytes()}
        frames[0].save(file, kind, **options, **more, **exif)
        yield file.getvalue()


def _change(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Change a few places of a file."""
    changes: list[Callable[[bytes, int, int], bytes]] = [
        lambda data, start, _end: data[:start] + bytes([rng.randrange(256)]) + data[start + 1 :],
        lambda data, start, _end: _overwrite(data, start, rng.choice(EXTREME_BYTES)),
        lambda data, start, end: data[:start] + data[end:],
        lambda data, start, end: data[:end] + data[start:end] * rng.choice((1, 2, 100)) + data[end:],
        lambda data, start, _end: data[:start] + rng.randbytes(rng.randrange(1, 64)) + data[start:],
        lambda data, start, end: _overwrite(data, start, (other := rng.choice(others))[start : min(end, len(other))]),
        lambda data, start, _end: data[: max(16, start)],
    ]
    for _ in range(rng.randrange(1, MAX_CHANGES + 1)):
        start = rng.randrange(max(1, len(data))) if rng.random() < 0.5 else rng.randrange(min(200, len(data) + 1))
        data = rng.choice(changes)(data, start, start + rng.randrange(1, 65))
    return data


def _overwrite(data: bytes, start: int, new: bytes) -> bytes:
    return data[:start] + new + data[start + len(new) :]


def _send_bodies(client: httpx.Client, count: int, rng: random.Random) -> Answers:
    """Send changed JSON and changed forms to all routes that take images or embeddings."""
    requests = list(_requests(client))
    bodies = [body for _, _, body in requests]
    answers: Answers = Counter()
    for _ in range(count):
        path, media_type, body = rng.choice(requests)
        headers = {"content-type": media_type}
        answers[_outcome(client.post(path, content=_change(body, bodies, rng), headers=headers))] += 1
    return answers


def _requests(client: httpx.Client) -> Iterator[tuple[str, str, bytes]]:
    """Yield valid requests: path, media type and body."""
    model = client.get("/model").json()
    embedding = {"embedding": [1.0] + [0.0] * (model["dimension"] - 1), "model": model["id"]}
    png = next(_seeds("PNG"))
    image = {"base64": base64.b64encode(png).decode()}
    for path, content in (
        ("/verify", {"image_a": image, "image_b": embedding}),
        ("/identify", {"image": embedding}),
        ("/embed", {"images": [image, image]}),
        ("/cluster", {"images": [image, embedding]}),
        (ENROLMENT, {"images": [image]}),
    ):
        yield path, "application/json", json.dumps(content).encode()
    for path, names in (("/verify", ("image_a", "image_b")), ("/embed", ("images",)), (ENROLMENT, ("images",))):
        form = httpx.Request("POST", "http://service", files=[(name, ("a.png", png)) for name in names])
        yield path, form.headers["content-type"], form.read()


def _outcome(answer: httpx.Response) -> tuple[int, str]:
    if answer.status_code < 400:
        return answer.status_code, ""
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code, str(answer.json()["code"]) if is_problem else "no problem document"


if __name__ == "__main__":
    main()
