"""Move 100,000 faces from SQLite to PostgreSQL and back, with the commands of an operator, and print how long it takes.

    python -m benchmarks.moving [--faces 100000] [--index pgvector]
    MILVUS_SERVER=DIR python -m benchmarks.moving --index milvus

The servers are those of the tests.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from service.gallery.indexes import MILVUS, PGVECTOR
from tests.support.collection_files import content_of
from tests.support.face_lines import NDJSON, base64_line, unit_vectors
from tests.support.milvus_server import running_milvus
from tests.support.postgres_server import running_postgres
from tests.support.running_service import RunningService, facenet_command, run_service

MODELS = Path("var/models")
FACES_PER_SUBJECT = 2
FACES_PER_REQUEST = 5_000
SEARCHABLE_S = 300


def fill(url: str, faces: int) -> None:
    """Enrol random embeddings in the collection `people`."""
    httpx.put(f"{url}/collections/people").raise_for_status()
    model = httpx.get(f"{url}/model").json()["id"]
    for start in range(0, faces, FACES_PER_REQUEST):
        vectors = unit_vectors(min(FACES_PER_REQUEST, faces - start), seed=start)
        lines = [
            base64_line(f"s{(start + i) // FACES_PER_SUBJECT}", one, model, name=f"Person {start + i}")
            for i, one in enumerate(vectors)
        ]
        path = f"{url}/collections/people/faces"
        httpx.post(path, content=b"\n".join(lines), headers=NDJSON, timeout=120).raise_for_status()


def run(what: str, service: RunningService, *arguments: str) -> None:
    """Run a command, and print its time, and the most memory of it and of its service."""
    before_mb = peak_mb(service.process.pid)
    began_s = time.monotonic()
    command = facenet_command(*arguments, "--url", service.url)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # of this project
    command_mb = 0.0
    while process.poll() is None:
        command_mb = max(command_mb, peak_mb(process.pid))
        time.sleep(0.05)
    took_s = time.monotonic() - began_s
    if process.returncode:
        sys.exit(f"{what} failed")
    service_mb = peak_mb(service.process.pid)
    print(
        f"{what:24} {took_s:6.1f} s   command {command_mb:5.0f} MB   service {before_mb:5.0f} -> {service_mb:5.0f} MB"
    )


def wait_until_searchable(url: str) -> None:
    """Wait until the collection is searched again after its import, and print how long that takes."""
    began_s = time.monotonic()
    model = httpx.get(f"{url}/model").json()["id"]
    image = {"embedding": unit_vectors(1)[0].tolist(), "model": model}
    while httpx.post(f"{url}/identify?collection=people", json={"image": image}).status_code != httpx.codes.OK:
        if time.monotonic() - began_s > SEARCHABLE_S:
            sys.exit("the imported collection cannot be searched")
        time.sleep(0.1)
    print(f"searched after {time.monotonic() - began_s:.1f} s")


def peak_mb(process: int) -> float:
    """Return the most memory that a process has had."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0][1]) / 1024 if found else 0


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--index", default=PGVECTOR, help="FACE_GALLERY__INDEX of the service with PostgreSQL")
    arguments = parser.parse_args()
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        server = resources.enter_context(running_postgres())
        first, second = folder / "first.gz", folder / "second.gz"
        settings = {"FACE_GALLERY__URL": server.create_database(), "FACE_GALLERY__INDEX": arguments.index}
        if arguments.index == MILVUS:
            settings |= resources.enter_context(running_milvus()).settings()
        with run_service(folder / "a", MODELS) as service:
            fill(service.url, arguments.faces)
            run("export from SQLite", service, "export", "people", str(first))
        with run_service(folder / "b", MODELS, **settings) as service:
            run("import into PostgreSQL", service, "import", str(first))
            wait_until_searchable(service.url)
            run("export from PostgreSQL", service, "export", "people", str(second))
        with run_service(folder / "c", MODELS) as service:
            run("import into SQLite", service, "import", str(second))
            wait_until_searchable(service.url)
        print(f"{first.stat().st_size / 1e6:.0f} MB")
        same = content_of(gzip.decompress(first.read_bytes())) == content_of(gzip.decompress(second.read_bytes()))
        print("identical" if same else "DIFFERENT")


if __name__ == "__main__":
    main()
