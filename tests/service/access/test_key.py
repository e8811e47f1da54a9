"""How a key looks, and how it is recognised."""

from service.access.key import KeyHasher, id_of, is_same, new_id, new_key

HASHER = KeyHasher(bytes(range(32)))


def test_a_key_has_its_id_and_43_random_characters() -> None:
    key_id = new_id()
    key = new_key(key_id)
    assert id_of(key) == key_id
    assert len(key.removeprefix(f"facenet_{key_id}_")) == 43
    assert new_key(key_id) != key


def test_a_text_of_another_form_has_no_id() -> None:
    key = new_key(new_id())
    for text in (
        "",
        "facenet",
        key[:-1],
        key + "A",
        key.upper(),
        key.replace("facenet", "facenot"),
        f" {key}",
        "é" * 64,
    ):
        assert id_of(text) is None


def test_the_hash_depends_on_every_part_and_on_the_secret() -> None:
    key = new_key(new_id())
    digest = HASHER.digest(key)
    assert is_same(digest, HASHER.digest(key))
    changed = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert not is_same(digest, HASHER.digest(changed))
    assert not is_same(digest, HASHER.digest(key.replace("facenet_", "facenet_0", 1)))
    other = KeyHasher(bytes(32))
    assert not is_same(digest, other.digest(key))
    assert other.id != HASHER.id
