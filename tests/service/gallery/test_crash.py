"""kill -9: every acknowledged face is stored, and no transaction is stored in part."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.service.gallery.enrol_until_killed import BATCH_SIZE, make_batch
from tests.service.gallery.random_faces import MODEL
from tests.support.blocking_gallery import BlockingGallery

ROOT = Path(__file__).parents[3]
BATCHES_BEFORE_KILL = 3, 11, 1, 7


def enrol_until_the_kill(data_dir: Path, first_batch: int, batches: int) -> list[int]:
    """Enrol batches in a process, and kill it after it acknowledged `batches`. Return all that it acknowledged."""
    command = [sys.executable, "-m", "tests.service.gallery.enrol_until_killed", str(data_dir), str(first_batch)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        acknowledged = [int(line) for line in islice(process.stdout, batches)]
        process.kill()
        return acknowledged + [int(line) for line in process.stdout]


@pytest.mark.slow
def test_every_acknowledged_face_survives_a_kill_and_no_batch_is_stored_in_part(data_dir: Path) -> None:
    acknowledged: list[int] = []
    for batches in BATCHES_BEFORE_KILL:
        first_batch = (
            acknowledged[-1] + 2 if acknowledged else 0
        )  # one more batch may be stored without acknowledgement
        acknowledged += enrol_until_the_kill(data_dir, first_batch, batches)
        gallery = BlockingGallery.open(data_dir, "faiss")
        gallery.check()
        subjects = {subject.id: subject.faces for subject in gallery.list_subjects("default", 1_000, None).items}
        assert set(subjects.values()) <= {0, BATCH_SIZE}
        for number in acknowledged:
            assert subjects[f"s{number}"] == BATCH_SIZE
            for face in make_batch(number):
                ((nearest,),), _ = gallery.search("default", face.embedding[None], 1, MODEL)
                assert nearest.subject == f"s{number}"
                assert nearest.distance < 1e-5
        gallery.close()
    assert len(acknowledged) >= sum(BATCHES_BEFORE_KILL)
