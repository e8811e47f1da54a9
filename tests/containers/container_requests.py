"""Runs inside of the container, which has no network. Verifies, identifies and clusters photographs. Prints JSON."""

import json
from pathlib import Path
from typing import Any

import httpx

PHOTOGRAPHS = Path("/photographs")
OBAMA, OBAMA2, BIDEN = (
    (PHOTOGRAPHS / name).read_bytes() for name in ("obama/obama.jpg", "obama/obama2.jpg", "biden/biden.jpg")
)

with httpx.Client(base_url="http://127.0.0.1:8000", timeout=60) as service:

    def post(path: str, files: Any) -> Any:
        return service.post(path, files=files).raise_for_status().json()

    verified = [post("/verify", {"image_a": OBAMA, "image_b": other})["verified"] for other in (OBAMA2, BIDEN)]
    for subject, photograph in (("obama", OBAMA), ("biden", BIDEN)):
        service.put(f"/collections/default/subjects/{subject}", json={}).raise_for_status()
        post(f"/collections/default/subjects/{subject}/faces", {"images": photograph})
    identified = post("/identify", {"image": OBAMA2})["faces"][0]["subject"]
    clusters = post("/cluster", [("images", photograph) for photograph in (OBAMA, BIDEN, OBAMA2)])["clusters"]

members = [cluster["members"] for cluster in clusters]
print(json.dumps({"verified": verified, "identified": identified, "clusters": members}))  # noqa: T201  # its answer
