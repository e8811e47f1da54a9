from pathlib import Path

import numpy as np
import pytest

from models.errors import DatasetError
from models.evaluation.data.identities import read_identities
from models.evaluation.quality.probes import JudgedProbes, count_pairs, embed_pairs
from service.pipeline.opening import PipelineOptions
from tests.support.sample_images import png_without_face


def test_each_photograph_is_paired_with_the_next_of_the_person(photographs: Path, options: PipelineOptions) -> None:
    identities = read_identities(photographs, 3)
    done: list[int] = []
    pairs = embed_pairs(options, identities, lambda: done.append(1))
    names = [identities.names[pair.person] for pair in pairs]
    assert names == ["obama", "obama"]
    assert len(done) == count_pairs(identities) == 2
    assert np.array_equal(pairs[0].sharp.embedding, pairs[1].reference.embedding)


def test_the_degradation_of_a_pair_is_the_same_in_every_call(photographs: Path, options: PipelineOptions) -> None:
    identities = read_identities(photographs, 3)
    first, second = (embed_pairs(options, identities, lambda: None) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert (one.degraded is None) == (other.degraded is None)
        if one.degraded and other.degraded:
            assert np.allclose(one.degraded.embedding, other.degraded.embedding, atol=1e-5)


def test_a_photograph_without_a_face_makes_no_pair(tmp_path: Path, obama: bytes, options: PipelineOptions) -> None:
    person = tmp_path / "person"
    person.mkdir()
    (person / "a.jpg").write_bytes(obama)
    (person / "b.png").write_bytes(png_without_face())
    assert embed_pairs(options, read_identities(tmp_path, 2), lambda: None) == []


def test_a_file_that_is_no_photograph_is_named(tmp_path: Path, obama: bytes, options: PipelineOptions) -> None:
    person = tmp_path / "person"
    person.mkdir()
    (person / "a.jpg").write_bytes(obama)
    (person / "b.jpg").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"b\.jpg cannot be used"):
        embed_pairs(options, read_identities(tmp_path, 2), lambda: None)


def test_people_are_needed_to_find_a_threshold(photographs: Path, options: PipelineOptions) -> None:
    pairs = embed_pairs(options, read_identities(photographs, 2), lambda: None)
    with pytest.raises(DatasetError, match="Fewer than two people"):
        JudgedProbes.sharp(pairs)
