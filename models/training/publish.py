"""From a checkpoint to the file that the service loads: the averaged network, and what it does on people held out."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.evaluation.metrics import FACENET_THRESHOLD
from models.export import card_fields, export
from models.training.checkpoints import Trained, looked_at, require_faces, trained
from models.training.held_out import divided, held_out, prepared
from service.card import EmbedderCard


def publish(checkpoint: Path, data: Path, path: Path, fields: dict[str, Any]) -> EmbedderCard:
    """Writes `path`. fields: of the card, which go before what is known here: `licence` and `training` at least.

    Raises TrainingError for other faces than the run's, DatasetError, or ExportRefused where ONNX Runtime would not say
    what PyTorch says.
    """
    run = trained(checkpoint)
    network = run.network()
    _, others = divided(prepared(data), run.recipe["held_out"], run.recipe["seed"])
    require_faces(checkpoint, run.faces, looked_at(others))
    alignment = network.architecture.crop_of(others.alignment)
    judge = held_out(others, alignment, np.random.default_rng(run.recipe["seed"]))
    kept_apart = "who were held out" if run.recipe["held_out"] else "whom it was trained on: too few to hold any out"
    who = f"{len(judge.crops)} faces of {len(np.unique(judge.people))} people of the training set {kept_apart}"
    rate = judge.measure(network, torch.device("cpu")).error_rate(FACENET_THRESHOLD, who)
    known = card_fields(network, alignment, path.stem, fields["licence"], _training(run))
    known["error_rates"] = [rate.model_dump()]
    return export(network, known | fields, judge.crops, path)


def _training(run: Trained) -> str:
    numbers = run.recipe
    return f"recipe {numbers['name']} of this project, {run.step:,} steps of {numbers['batch']} faces"
