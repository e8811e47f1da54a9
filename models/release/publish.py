"""A checkpoint -> the model file that the service opens: the averaged network, measured on the held-out people."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.release.export import card_fields, export
from models.training.checkpoints import TrainedRun, held_out_identity, read_trained_run, require_same_faces
from models.training.held_out import load_prepared_faces, make_held_out_faces, split_held_out
from models.training.random_streams import Purpose, random_stream
from service.domain.distances import FACENET_THRESHOLD_SQ_L2
from service.model_files.card import EmbedderCard


def publish(checkpoint: Path, data: Path, path: Path, fields: dict[str, Any]) -> EmbedderCard:
    """Write the model file and return its card.

    checkpoint: of a training run.
    data: the folder of prepared faces that the run was trained on.
    path: the file that is written.
    fields: of the card. They replace the fields that are computed here. `licence` is required.
    Raises TrainingError if the run was trained on other faces. Raises DatasetError if the folder cannot be used. Raises
    ExportRefused if the embeddings of ONNX Runtime and PyTorch differ.
    """
    run = read_trained_run(checkpoint)
    network = run.network()
    _, held_out = split_held_out(load_prepared_faces(data), run.recipe["held_out_share"], run.recipe["seed"])
    require_same_faces(checkpoint, run.faces, held_out_identity(held_out))
    alignment = network.architecture.crop_alignment(held_out.alignment)
    faces = make_held_out_faces(held_out, alignment, random_stream(run.recipe["seed"], Purpose.EVALUATED_FACES))
    which = "who were held out" if run.recipe["held_out_share"] else "that it was trained on: too few to hold any out"
    measured_on = f"{len(faces.crops)} faces of {len(np.unique(faces.people))} people of the training set {which}"
    rate = faces.measure(network, torch.device("cpu")).error_rate(FACENET_THRESHOLD_SQ_L2, measured_on)
    known = card_fields(network, alignment, path.stem, fields["licence"], _describe_training(run))
    known["error_rates"] = [rate.model_dump()]
    return export(network, known | fields, faces.crops, path)


def _describe_training(run: TrainedRun) -> str:
    recipe = run.recipe
    return f"recipe {recipe['name']} of this project, {run.step:,} steps of {recipe['batch_size']} faces"
