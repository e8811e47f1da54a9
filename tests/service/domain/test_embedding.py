from service.domain.embedding import check_embedding, embedding_sha256


def test_minus_zero_is_zero_so_that_one_embedding_has_one_sha256() -> None:
    plus, minus = (check_embedding([1.0, zero], 2)[0] for zero in (0.0, -0.0))
    assert embedding_sha256(plus) == embedding_sha256(minus)
