"""From a checkpoint to the file that the service loads: the averaged network, and what it does on people held out."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.architectures import Network
from models.augmentation import PLAIN, Views
from models.evaluation.metrics import FACENET_THRESHOLD
from models.export import card_fields, export
from models.faces import load
from models.preparation.shards import read_set
from models.progress import counted
from models.training.checkpoints import Trained, trained
from models.training.held_out import LEFT_OUT, HeldOut, divided, held_out
from service.card import EmbedderCard


def publish(checkpoint: Path, data: Path, path: Path, fields: dict[str, Any]) -> EmbedderCard:
    """Writes `path`. fields: of the card, which go before what is known here: `licence` and `training` at least.

    Raises TrainingError, DatasetError, or ExportRefused where ONNX Runtime would not say what PyTorch says.
    """
    run = trained(checkpoint)
    network = run.network()
    judge = _judge(data, run, network)
    kept_apart = "who were held out" if run.recipe["held_out"] else "whom it was trained on: too few to hold any out"
    who = f"{len(judge.crops)} faces of {len(np.unique(judge.people))} people of the training set {kept_apart}"
    rate = judge.measure(network, torch.device("cpu")).error_rate(FACENET_THRESHOLD, who)
    known = card_fields(network, path.stem, fields["licence"], _training(run)) | {"error_rates": [rate.model_dump()]}
    return export(network, known | fields, judge.crops, path)


def _training(run: Trained) -> str:
    numbers = run.recipe
    return f"recipe {numbers['name']} of this project, {run.step:,} steps of {numbers['batch']} faces"


def _judge(data: Path, run: Trained, network: Network) -> HeldOut:
    with counted(len(read_set(data).shards), "Loading faces") as done:
        faces = load(data, done, LEFT_OUT)
    _, others = divided(faces, run.recipe["held_out"], run.recipe["seed"])
    views = Views(faces.alignment, network.architecture.alignment, PLAIN)
    return held_out(others, views, np.random.default_rng(run.recipe["seed"]))
