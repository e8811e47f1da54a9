from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from models.training.data.face_set import FaceSet
from models.training.objectives.teacher import TeacherRequest, check_teacher, teacher_embeddings
from service.model_files.card import EmbedderCard
from service.model_files.execution.options import Execution
from service.model_files.model_file import ModelFile, open_model


@pytest.fixture(scope="module")
def sface(models_dir: Path) -> ModelFile[EmbedderCard]:
    return open_model(models_dir / "sface.onnx", EmbedderCard, Execution())


def request_for(faces: FaceSet) -> TeacherRequest:
    return TeacherRequest(faces.canvases, faces.alignment, (faces.canvases,))


def test_a_teacher_embedding_is_the_unit_mean_of_the_clean_crop_and_its_mirror_image(
    sface: ModelFile[EmbedderCard], faces: FaceSet, tmp_path: Path
) -> None:
    few = faces.select_rows(np.arange(3))
    embeddings = teacher_embeddings(sface, request_for(few), tmp_path, lambda: None)
    clean = few.canvases[1:2, 8:120, 8:120]
    of_crops = [
        sface.session.run(None, {"crops": np.ascontiguousarray(crop)})[0][0] for crop in (clean, clean[:, :, ::-1])
    ]
    expected = (of_crops[0] + of_crops[1]) / np.linalg.norm(of_crops[0] + of_crops[1])
    np.testing.assert_allclose(embeddings[1], expected, atol=1e-5)


def test_the_embeddings_of_the_same_faces_are_computed_once(
    sface: ModelFile[EmbedderCard], faces: FaceSet, tmp_path: Path
) -> None:
    request = request_for(faces.select_rows(np.arange(2)))
    first = teacher_embeddings(sface, request, tmp_path, lambda: None)
    (file,) = tmp_path.rglob("*.npy")
    np.save(file, first + 1)
    np.testing.assert_array_equal(teacher_embeddings(sface, request, tmp_path, lambda: None), first + 1)
    teacher_embeddings(sface, request_for(faces.select_rows(np.arange(3))), tmp_path, lambda: None)
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_a_teacher_with_another_dimension_than_the_network_is_refused(sface: ModelFile[EmbedderCard]) -> None:
    with pytest.raises(TrainingError, match="embeddings of 128 dimensions, and the network of the recipe has 512"):
        check_teacher(sface.card, 512)
