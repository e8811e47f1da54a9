import pytest

from service.errors import InvalidSettings
from service.settings import load_settings, variables


def test_the_defaults_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACE_HOST", raising=False)
    assert load_settings({}).host == "127.0.0.1"


def test_a_nested_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_LIMITS__PIXELS", "1000")
    assert load_settings().limits.pixels == 1000


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("FACE_LIMIT__PIXELS", "FACE_LIMITS__PIXELS"),
        ("FACE_PROT", "FACE_PORT"),
        ("face_hots", "FACE_HOST"),
        ("FACE_LIMITS", "FACE_LIMITS__PIXELS"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{name}.*nearest is {nearest}"):
        load_settings({name: "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FACE_PORT", "65536"),
        ("FACE_PORT", "http"),
        ("FACE_MODELS__MIRROR", "sometimes"),
        ("FACE_LIMITS__REQUEST_TIMEOUT_S", "nan"),
        ("FACE_INFERENCE__THREADS", "0"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=name):
        load_settings()


def test_every_setting_has_a_sentence() -> None:
    assert all(one.sentence for one in variables())


def test_what_is_in_force_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_LOG__LEVEL", "debug")
    assert {one.name: one.value for one in variables(load_settings())}["FACE_LOG__LEVEL"] == "debug"
