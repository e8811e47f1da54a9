"""What GET /model answers for a model of which nothing was measured."""

from typing import Any

MODEL_ANSWER: dict[str, Any] = {
    "name": "made up",
    "id": "0" * 64,
    "dimension": 128,
    "architecture": "",
    "licence": "",
    "training": "",
    "threshold": 1.2,
    "identification_threshold": None,
    "calibration": None,
    "clustering_threshold": None,
    "compatible_with": [],
}
