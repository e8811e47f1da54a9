from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from models.faces import FaceSet
from models.training.targets import Asked, check_teacher, targets
from service.card import EmbedderCard
from service.model_file import ModelFile, open_model


@pytest.fixture(scope="module")
def sface(models_dir: Path) -> ModelFile[EmbedderCard]:
    return open_model(models_dir / "sface.onnx", EmbedderCard, "cpu", 1)


def asked(faces: FaceSet) -> Asked:
    return Asked(faces.canvases, faces.alignment, (faces.canvases,))


def test_a_target_is_the_unit_mean_of_the_clean_crop_and_its_mirror_image(
    sface: ModelFile[EmbedderCard], faces: FaceSet, tmp_path: Path
) -> None:
    few = faces.of(np.arange(3))
    found = targets(sface, asked(few), tmp_path, lambda: None)
    crop = few.canvases[1:2, 8:120, 8:120]
    both = [sface.session.run(None, {"crops": np.ascontiguousarray(one)})[0][0] for one in (crop, crop[:, :, ::-1])]
    expected = (both[0] + both[1]) / np.linalg.norm(both[0] + both[1])
    np.testing.assert_allclose(found[1], expected, atol=1e-5)


def test_targets_are_computed_once_for_the_same_faces(
    sface: ModelFile[EmbedderCard], faces: FaceSet, tmp_path: Path
) -> None:
    few = asked(faces.of(np.arange(2)))
    first = targets(sface, few, tmp_path, lambda: None)
    (file,) = tmp_path.rglob("*.npy")
    np.save(file, first + 1)
    np.testing.assert_array_equal(targets(sface, few, tmp_path, lambda: None), first + 1)
    targets(sface, asked(faces.of(np.arange(3))), tmp_path, lambda: None)
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_a_teacher_of_another_dimension_is_refused(sface: ModelFile[EmbedderCard]) -> None:
    with pytest.raises(TrainingError, match="128 numbers a face and the recipe's network 512"):
        check_teacher(sface.card, 512)
