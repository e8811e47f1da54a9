"""A stored value can be read in its own place only, and tells nothing but what is documented."""

import secrets

import pytest

from service.domain.errors import StorageLost
from service.gallery.records.encryption.ciphers import Encrypted
from service.gallery.records.encryption.data_keys import WrappedDataKeys
from service.gallery.records.encryption.key_file import OperatorKey
from tests.service.gallery.random_faces import make_face

VECTOR = make_face(1).embedding.tobytes()


@pytest.fixture
def cipher() -> Encrypted:
    return Encrypted(secrets.token_bytes(32))


@pytest.mark.parametrize("text", ["", "anna", "Ж" * 100, 'quotes " and \\ and \0'])
def test_ids_and_values_are_read_as_they_were_written(cipher: Encrypted, text: str) -> None:
    assert cipher.read_id("subjects.id", cipher.write_id("subjects.id", text)) == text
    assert cipher.read_value("subjects.name", text, cipher.write_value("subjects.name", text, text)) == text


@pytest.mark.parametrize("value", [None, {}, {"a": [1, None, {"b": 0.1}]}])
def test_no_name_and_any_metadata_are_read_as_they_were_written(cipher: Encrypted, value: object) -> None:
    stored = cipher.write_value("subjects.metadata", "anna", value)
    assert cipher.read_value("subjects.metadata", "anna", stored) == value


def test_an_id_is_always_stored_in_the_same_way_and_a_value_never(cipher: Encrypted) -> None:
    ids = {cipher.write_id("subjects.id", "anna") for _ in range(3)}
    names = {cipher.write_value("subjects.name", "anna", "Anna") for _ in range(3)}
    vectors = {cipher.write_vector("face", VECTOR) for _ in range(3)}
    assert (len(ids), len(names), len(vectors)) == (1, 3, 3)


def test_the_same_id_is_stored_differently_in_another_collection_and_column(cipher: Encrypted) -> None:
    other = Encrypted(secrets.token_bytes(32))
    stored = {
        cipher.write_id("subjects.id", "anna"),
        cipher.write_id("faces.image_sha256", "anna"),
        other.write_id("subjects.id", "anna"),
    }
    assert len(stored) == 3


def test_texts_of_up_to_31_bytes_have_the_same_stored_length(cipher: Encrypted) -> None:
    assert len({len(cipher.write_id("subjects.id", "a" * length)) for length in range(32)}) == 1
    assert len({len(cipher.write_value("subjects.name", "anna", name)) for name in (None, "A", "A" * 29)}) == 1


def test_a_value_is_refused_in_another_row_column_or_collection(cipher: Encrypted) -> None:
    other = Encrypted(secrets.token_bytes(32))
    name, vector = cipher.write_value("subjects.name", "anna", "Anna"), cipher.write_vector("face", VECTOR)
    subject = cipher.write_id("subjects.id", "anna")
    for read in (
        lambda: cipher.read_value("subjects.name", "berta", name),
        lambda: cipher.read_value("subjects.metadata", "anna", name),
        lambda: other.read_value("subjects.name", "anna", name),
        lambda: cipher.read_vectors(["other"], [vector]),
        lambda: other.read_vectors(["face"], [vector]),
        lambda: cipher.read_id("faces.image_sha256", subject),
        lambda: other.read_id("subjects.id", subject),
    ):
        with pytest.raises(StorageLost, match="damaged"):
            read()


def test_a_changed_bit_of_a_vector_is_refused(cipher: Encrypted) -> None:
    stored = cipher.write_vector("face", VECTOR)
    assert cipher.read_vectors(["face"], [stored]) == [VECTOR]
    for position in range(len(stored)):
        changed = bytearray(stored)
        changed[position] ^= 1
        with pytest.raises(StorageLost, match="damaged"):
            cipher.read_vectors(["face"], [bytes(changed)])


@pytest.mark.parametrize("stored", [None, 7, "", "no base64!", "AAAA", "é"])
def test_noise_instead_of_a_stored_value_is_refused(cipher: Encrypted, stored: object) -> None:
    with pytest.raises(StorageLost, match="damaged"):
        cipher.read_value("subjects.name", "anna", stored)
    if isinstance(stored, str):
        with pytest.raises(StorageLost, match="damaged"):
            cipher.read_id("subjects.id", stored)


def test_a_data_key_is_opened_for_its_collection_and_by_its_key_only() -> None:
    keys, others = (WrappedDataKeys(OperatorKey.of(secrets.token_bytes(32))) for _ in range(2))
    wrapped = keys.make("staff")
    assert keys.cipher("staff", wrapped).rotation_secret
    for opening, collection, stored in (
        (keys, "guests", wrapped),
        (others, "staff", wrapped),
        (keys, "staff", wrapped[:5]),
    ):
        with pytest.raises(StorageLost, match="data key"):
            opening.cipher(collection, stored)
