"""Embeddings that must not change unnoticed. `python -m tests.support.golden` writes `tests/data/embeddings.json`.

If they change, the service computes other embeddings than before. Then existing galleries no longer match it.
"""

import json
from pathlib import Path

import numpy as np

from models.zoo.catalogue import read_zoo
from service.domain.embedding import Embeddings
from service.domain.face import Crops
from service.model_files.catalogue import ModelSource
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import main_face

ROOT = Path(__file__).parents[2]
GOLDEN_FILE = ROOT / "tests" / "data" / "embeddings.json"
PHOTOGRAPH = "eileen_collins/astronaut.png"
EMBEDDERS = [name for name, model in read_zoo().models.items() if model.card["role"] == "embedder"]


def pipeline_options(models_dir: Path, embedder: str) -> PipelineOptions:
    """Return the options of the default pipeline with this embedder of the catalogue."""
    return PipelineOptions(
        detector=ModelSource(models_dir / "yunet.onnx"),
        landmarks=ModelSource(models_dir / "onet.onnx"),
        embedder=ModelSource(models_dir / f"{embedder}.onnx"),
    )


def main_face_crops(options: PipelineOptions, *photographs: Path) -> Crops:
    """Return the crop of the main face of each photograph, (n, h, w, 3) uint8."""
    extractor = open_face_extractor(options, open_embedder(options).card)
    return np.concatenate([extractor.extract(path.read_bytes(), main_face).crops for path in photographs])


def embed_golden_photograph(models_dir: Path, photographs: Path, embedder: str) -> Embeddings:
    """Return the embedding of the main face of PHOTOGRAPH, (1, d) float32."""
    options = pipeline_options(models_dir, embedder)
    return open_embedder(options).embed(main_face_crops(options, photographs / PHOTOGRAPH))


def main() -> None:
    """Write the embeddings with six digits. Two machines agree on that many."""
    embeddings = {
        name: np.round(
            embed_golden_photograph(ROOT / "var/models", ROOT / "var/photographs", name)[0].astype(np.float64), 6
        ).tolist()
        for name in EMBEDDERS
    }
    content = {
        "command": "python -m tests.support.golden",
        "photograph": PHOTOGRAPH,
        "tolerance_sq_l2": 1e-4,
        "embeddings": embeddings,
    }
    GOLDEN_FILE.write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    main()
