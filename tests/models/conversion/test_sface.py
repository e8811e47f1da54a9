from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from service.domain.distances import unit
from service.domain.face import Crops
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import open_model


def test_the_converted_graph_gives_the_embeddings_of_the_published_file(
    models_dir: Path, original: Callable[[str], bytes], crops: Callable[[str], Crops], tmp_path: Path
) -> None:
    # ONNX Runtime refuses the quantised biases of the published file. OpenCV reads them.
    file = tmp_path / "sface.onnx"
    file.write_bytes(original("sface"))
    published = cv2.dnn.readNetFromONNX(str(file), engine=cv2.dnn.ENGINE_CLASSIC)
    faces = crops("sface")

    # The input is one face, RGB in 0..255, channels first. The features are not of unit length.
    features = []
    for face in faces:
        published.setInput(face[None].transpose(0, 3, 1, 2).astype(np.float32))
        features.append(published.forward().copy())
    converted = open_model(models_dir / "sface.onnx", EmbedderCard, Execution()).session
    (embeddings,) = converted.run(["embeddings"], {"crops": faces})

    np.testing.assert_allclose(embeddings, unit(np.concatenate(features)), atol=2e-6)
