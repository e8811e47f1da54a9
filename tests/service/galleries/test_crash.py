"""kill -9: what was acknowledged is there, and no transaction is there by half."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

from service.galleries.gallery import Gallery
from tests.service.galleries.enrolling import AT_ONCE, batch
from tests.service.galleries.made_up import MODEL

ROOT = Path(__file__).parents[3]
TURNS_BEFORE_THE_KILL = 3, 11, 1, 7


def acknowledged_before_the_kill(data_dir: Path, first: int, turns: int) -> list[int]:
    """Kills the process once it has acknowledged so many turns, while it is at the next ones."""
    command = [sys.executable, "-m", "tests.service.galleries.enrolling", str(data_dir), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = [int(line) for line in islice(process.stdout, turns)]
        process.kill()
        return told + [int(line) for line in process.stdout]


def test_every_acknowledged_face_survives_a_kill_and_no_batch_is_there_by_half(data_dir: Path) -> None:
    acknowledged: list[int] = []
    for turns in TURNS_BEFORE_THE_KILL:
        first = acknowledged[-1] + 2 if acknowledged else 0  # one more may have been stored and not acknowledged
        acknowledged += acknowledged_before_the_kill(data_dir, first, turns)
        gallery = Gallery.open(data_dir, "faiss")
        gallery.check()
        subjects = {subject.id: subject.faces for subject in gallery.subjects("default", 1_000, None).items}
        assert set(subjects.values()) <= {0, AT_ONCE}
        for turn in acknowledged:
            assert subjects[f"s{turn}"] == AT_ONCE
            for face in batch(turn):
                ((first_found,),), _ = gallery.search("default", face.embedding[None], 1, MODEL)
                assert first_found.subject == f"s{turn}"
                assert first_found.distance < 1e-5
        gallery.close()
    assert len(acknowledged) >= sum(TURNS_BEFORE_THE_KILL)
