"""Embeddings that must not change unseen: `python -m tests.golden` writes them anew to `tests/data/embeddings.json`.

A change there is a change of what the service measures: galleries that exist no longer fit.
"""

import json
from pathlib import Path

import numpy as np

from models.zoo import read_zoo
from service.domain import Crops, Embeddings
from service.pipeline import ModelSource, PipelineOptions, main_face, open_embedder, open_sight

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "data" / "embeddings.json"
PHOTOGRAPH = "eileen_collins/astronaut.png"
EMBEDDERS = [name for name, entry in read_zoo().models.items() if entry.card["role"] == "embedder"]


def pipeline_options(models_dir: Path, embedder: str) -> PipelineOptions:
    """The way that serves, around one of the zoo's embedders."""
    return PipelineOptions(
        detector=ModelSource(models_dir / "yunet.onnx"),
        landmarks=ModelSource(models_dir / "onet.onnx"),
        embedder=ModelSource(models_dir / f"{embedder}.onnx"),
    )


def main_crops(options: PipelineOptions, *photographs: Path) -> Crops:
    """The main face of each photograph, cut for the embedder: (n, h, w, 3) uint8."""
    sight = open_sight(options, open_embedder(options).card)
    return np.concatenate([sight.look(path.read_bytes(), main_face).crops for path in photographs])


def embedding(models_dir: Path, photographs: Path, embedder: str) -> Embeddings:
    """(1, d) float32: the photograph's main face."""
    options = pipeline_options(models_dir, embedder)
    return open_embedder(options).embed(main_crops(options, photographs / PHOTOGRAPH))


def main() -> None:
    """Six digits a number, which is as far as two machines agree."""
    embeddings = {
        name: np.round(embedding(ROOT / "var/models", ROOT / "var/photographs", name)[0].astype(np.float64), 6).tolist()
        for name in EMBEDDERS
    }
    content = {
        "command": "python -m tests.golden",
        "photograph": PHOTOGRAPH,
        "tolerance_sq_l2": 1e-4,
        "embeddings": embeddings,
    }
    GOLDEN.write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    main()
