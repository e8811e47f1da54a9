"""kill -9: every acknowledged face is stored, and no transaction is stored in part."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.service.gallery.enrol_until_killed import BATCH_SIZE, make_batch
from tests.service.gallery.merge_until_killed import FACES_OF_SUBJECT, make_pair
from tests.service.gallery.random_faces import MODEL
from tests.support.blocking_gallery import BlockingGallery

ROOT = Path(__file__).parents[3]
BATCHES_BEFORE_KILL = 3, 11, 1, 7
STATES_BEFORE_A_MERGE = [(None, None), (0, None), (3, None), (3, 0), (3, 3), (4, 2), (6, None)]
"""How many faces the two subjects of `merge_until_killed` can have. None: the subject does not exist."""


def change_until_the_kill(program: str, data_dir: Path, first_batch: int, batches: int) -> list[int]:
    """Run a program, and kill it after it acknowledged `batches`. Return all that it acknowledged."""
    command = [sys.executable, "-m", f"tests.service.gallery.{program}", str(data_dir), str(first_batch)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "gallery_opened" in process.stdout.readline()  # the line of its log
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
        acknowledged += change_until_the_kill("enrol_until_killed", data_dir, first_batch, batches)
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


@pytest.mark.slow
def test_every_acknowledged_move_and_merge_survives_a_kill_and_no_merge_is_made_in_part(data_dir: Path) -> None:
    first = 0
    for merges in BATCHES_BEFORE_KILL:
        acknowledged = change_until_the_kill("merge_until_killed", data_dir, first, merges)
        gallery = BlockingGallery.open(data_dir, "faiss")
        gallery.check()
        subjects = {subject.id: subject.faces for subject in gallery.list_subjects("default", 1_000, None).items}
        for number in acknowledged:
            assert subjects[f"kept{number}"] == 2 * FACES_OF_SUBJECT
            assert f"merged{number}" not in subjects
            for face in make_pair(number):
                ((nearest,),), _ = gallery.search("default", face.embedding[None], 1, MODEL)
                assert nearest.subject == f"kept{number}"
        in_progress = acknowledged[-1] + 1
        # Enrolled or not, then one face moved or not, then merged or not. But never some faces of a merge.
        assert (subjects.get(f"kept{in_progress}"), subjects.get(f"merged{in_progress}")) in STATES_BEFORE_A_MERGE
        gallery.close()
        first = in_progress + 1
