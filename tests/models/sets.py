"""Write a face set to the disk in the format of `facenet-models prepare`."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.preparation.cropping import encode
from models.preparation.shards import (
    SET_FILE,
    FaceOrigin,
    FaceSetDescription,
    Flag,
    PreparationSettings,
    Shard,
    ShardSample,
    pack_shard,
    write_json,
)
from models.training.data.face_set import FaceSet


def write_set(
    folder: Path, faces: FaceSet, shards: Sequence[Sequence[int]], flagged: Mapping[Flag, Sequence[int]]
) -> None:
    """Write set.json and the shards.

    shards: the rows of each shard.
    flagged: the rows that are flagged, by flag.
    """
    settings = PreparationSettings(
        crop="aligned",
        alignment=faces.alignment,
        photographs_per_shard=4,
        max_pixels=10**6,
        max_side_px=640,
        min_face_px=40,
        min_score=0.8,
        models={},
    )
    description = FaceSetDescription(
        settings=settings,
        people=faces.names,
        sources=faces.source_names,
        shards=tuple(
            _write_shard(folder, faces, f"faces-{number:05}", rows, flagged) for number, rows in enumerate(shards)
        ),
    )
    write_json(folder / SET_FILE, description)


def _write_shard(
    folder: Path, faces: FaceSet, name: str, rows: Sequence[int], flagged: Mapping[Flag, Sequence[int]]
) -> Shard:
    keys = {row: f"{name}-{position:05}" for position, row in enumerate(rows)}
    data = pack_shard(ShardSample(keys[row], encode(faces.canvases[row]), _origin(faces, row)) for row in rows)
    (folder / f"{name}.tar").write_bytes(data)
    flags = {flag: tuple(keys[row] for row in rows if row in flagged_rows) for flag, flagged_rows in flagged.items()}
    return Shard(name=name, faces=len(rows), sha256=hashlib.sha256(data).hexdigest(), flags=flags)


def _origin(faces: FaceSet, row: int) -> FaceOrigin:
    person = faces.names[faces.people[row]]
    source = faces.source_names[faces.sources[row]]
    return FaceOrigin(person=person, source=source, file=f"{person}/{row}.webp", sha256="0" * 64)
