"""Subjects of a running service, enrolled with real photographs over HTTP."""

from pathlib import Path

import httpx

from tests.support.face_lines import NDJSON, base64_line, unit_vectors


def enrol(api: httpx.Client, collection: str, subject: str, *files: Path) -> None:
    """Make the collection and the subject, and enrol the face of each photograph. Obama is the name of obama."""
    api.put(f"/collections/{collection}").raise_for_status()
    api.put(f"/collections/{collection}/subjects/{subject}", json={"name": subject.title()}).raise_for_status()
    images = [("images", file.read_bytes()) for file in files]
    api.post(f"/collections/{collection}/subjects/{subject}/faces", files=images).raise_for_status()


def enrol_made_up(api: httpx.Client, collection: str, count: int) -> None:
    """Make the collection, and enrol subjects with made-up embeddings: Zoë Müller 0, Zoë Müller 1, and so on."""
    model = api.get("/model").json()["id"]
    api.put(f"/collections/{collection}").raise_for_status()
    lines = [
        base64_line(f"person-{number:04}", vector, model, name=f"Zoë Müller {number}")
        for number, vector in enumerate(unit_vectors(count))
    ]
    api.post(f"/collections/{collection}/faces", content=b"\n".join(lines), headers=NDJSON).raise_for_status()


def subjects_of(api: httpx.Client, collection: str) -> dict[str, int]:
    """Return how many faces each subject of a collection has, by id."""
    items = api.get(f"/collections/{collection}/subjects").raise_for_status().json()["items"]
    return {subject["id"]: subject["faces"] for subject in items}
