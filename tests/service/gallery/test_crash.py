"""kill -9: every acknowledged face is stored, and no transaction is stored in part."""

import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.service.gallery.change_segments_until_killed import DELETED_AFTER, FACES_OF_BLOCK, make_block
from tests.service.gallery.enrol_until_killed import BATCH_SIZE, make_batch
from tests.service.gallery.merge_until_killed import FACES_OF_SUBJECT, make_pair
from tests.service.gallery.random_faces import MODEL, make_crop
from tests.service.gallery.small_segments import use_small_segments
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
                assert gallery.get_crop("default", nearest.face).picture == make_crop(number).picture
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


def kill_large_gallery(data_dir: Path, kills: int) -> int:
    """Kill a process that changes a gallery with segments at random moments, and check what is there after each kill.

    Returns how many changes were acknowledged. This process must use the same index: see `small_segments`.
    """
    enrolled, deleted, unknown = set[int](), set[int](), set[int]()
    for moment_s in np.random.default_rng(0).uniform(0.0, 1.5, kills):
        for change in run_until_a_moment(data_dir, max(enrolled, default=-1) + 2, moment_s):
            (deleted if change < 0 else enrolled).add(abs(change))
        last = max(enrolled)
        unknown |= {last - DELETED_AFTER, last - DELETED_AFTER + 1} - deleted  # can be deleted without acknowledgement
        gallery = BlockingGallery.open(data_dir, "faiss")
        assert gallery.indexes.background.wait(60)
        gallery.check()
        check_blocks(gallery, enrolled - unknown, deleted)
        gallery.close()
    return len(enrolled) + len(deleted)


def run_until_a_moment(data_dir: Path, first: int, seconds: float) -> list[int]:
    """Run the process for so long after its first change, and kill it. Return what it acknowledged."""
    command = [sys.executable, "-m", "tests.service.gallery.change_segments_until_killed", str(data_dir), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = [next(line for line in process.stdout if line.strip().isdigit())]
        time.sleep(seconds)
        process.kill()
        printed += process.stdout.readlines()
    return [int(line) for line in printed if line.strip().lstrip("-").isdigit()]


def check_blocks(gallery: BlockingGallery, enrolled: set[int], deleted: set[int]) -> None:
    """Every acknowledged block is found with all its faces, and nothing of a deleted one is found."""
    subjects = {subject.id: subject.faces for subject in gallery.list_subjects("default", 1_000, None).items}
    for number in enrolled:
        name, probe = f"s{number}", make_block(number)[0].embedding[None]
        ((nearest,),), _ = gallery.search("default", probe, 1, MODEL)
        if number in deleted:
            assert name not in subjects
            assert nearest.subject != name
        else:
            assert subjects[name] == FACES_OF_BLOCK
            assert nearest.subject == name
            assert nearest.distance < 1e-5


@pytest.mark.slow
def test_a_large_index_loses_nothing_and_shows_nothing_deleted_after_kills_at_random_moments(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small_segments(monkeypatch)
    assert kill_large_gallery(data_dir, kills=6) > 50
    assert list((data_dir / "indexes").glob("*.segments"))
