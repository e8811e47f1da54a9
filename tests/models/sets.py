"""A set of faces on the disk, as `facenet-models prepare` would write it."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.faces import FaceSet
from models.preparation.croppings import encode
from models.preparation.shards import Description, Flag, Origin, Sample, Settings, Shard, pack, write_json


def write_set(
    folder: Path, faces: FaceSet, shards: Sequence[Sequence[int]], flagged: Mapping[Flag, Sequence[int]]
) -> None:
    """shards: the rows of each. flagged: rows that look wrong, by how."""
    described = [_shard(folder, faces, f"faces-{number:05}", rows, flagged) for number, rows in enumerate(shards)]
    settings = Settings(
        crop="aligned",
        alignment=faces.alignment,
        photographs_per_shard=4,
        max_pixels=10**6,
        max_side_px=640,
        min_score=0.8,
        models={},
    )
    people, sources = faces.names, faces.source_names
    write_json(
        folder / "set.json", Description(settings=settings, people=people, sources=sources, shards=tuple(described))
    )


def _shard(
    folder: Path, faces: FaceSet, name: str, rows: Sequence[int], flagged: Mapping[Flag, Sequence[int]]
) -> Shard:
    keys = {row: f"{name}-{place:05}" for place, row in enumerate(rows)}
    data = pack(Sample(keys[row], encode(faces.canvases[row]), _origin(faces, row)) for row in rows)
    (folder / f"{name}.tar").write_bytes(data)
    flags = {flag: tuple(keys[row] for row in rows if row in wrong) for flag, wrong in flagged.items()}
    return Shard(name=name, faces=len(rows), sha256=hashlib.sha256(data).hexdigest(), flags=flags)


def _origin(faces: FaceSet, row: int) -> Origin:
    person = faces.names[faces.people[row]]
    return Origin(
        person=person, source=faces.source_names[faces.sources[row]], file=f"{person}/{row}.webp", sha256="0" * 64
    )
