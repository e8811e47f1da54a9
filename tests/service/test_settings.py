import pytest

from service.domain.command_errors import InvalidSettings
from service.settings.environment import list_variables, load_settings


def test_the_default_host_is_the_local_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACE_HOST", raising=False)
    assert load_settings().host == "127.0.0.1"


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
def test_an_unknown_setting_is_refused_and_the_nearest_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(InvalidSettings, match=f"{name}.*nearest is {nearest}"):
        load_settings()


def test_a_setting_that_no_setting_is_like_is_refused_without_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_TRESHOLD", "1")
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert str(refused.value) == "There is no setting FACE_TRESHOLD. `facenet settings` lists all."


@pytest.mark.parametrize(
    "name", ["FACE_GALLERY__ENCRYPTION_KEY_FILE", "face_gallery__encryption_key_file", "FACE_ADMIN_KEY_FILE"]
)
def test_an_empty_name_of_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(InvalidSettings, match=f"{name} is empty"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FACE_PORT", "65536", "FACE_PORT must be at most 65535. The default is 8000."),
        ("FACE_PORT", "http", "FACE_PORT must be a whole number. The default is 8000."),
        ("FACE_PORT", "1.5", "FACE_PORT must be a whole number. The default is 8000."),
        ("FACE_DETECTION__MIN_SCORE", "high", "FACE_DETECTION__MIN_SCORE must be a number. The default is 0.8."),
        ("FACE_DETECTION__MIN_SCORE", "1", "FACE_DETECTION__MIN_SCORE must be less than 1.0. The default is 0.8."),
        (
            "FACE_MODELS__MIRROR",
            "sometimes",
            "FACE_MODELS__MIRROR must be 'off', 'enrolment' or 'always'. The default is off.",
        ),
        (
            "FACE_LIMITS__REQUEST_TIMEOUT_S",
            "nan",
            "FACE_LIMITS__REQUEST_TIMEOUT_S must be at most 3600.0. The default is 30.0.",
        ),
        ("FACE_INFERENCE__THREADS", "0", "FACE_INFERENCE__THREADS must be at least 1."),
    ],
)
def test_the_error_of_an_invalid_value_says_what_the_setting_must_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FACE_ROOT_PATH", "faces"),
        ("FACE_ROOT_PATH", "/faces/"),
        ("FACE_ALLOWED_HOSTS", "https://faces.example.com"),
        ("FACE_ALLOWED_HOSTS", "faces.example.com:8000"),
        ("FACE_ALLOWED_HOSTS", "faces.*.com"),
        ("FACE_ALLOWED_HOSTS", "faces.example.com/"),
        ("FACE_CORS_ORIGINS", "app.example.com"),
        ("FACE_CORS_ORIGINS", "https://app.example.com/"),
        ("FACE_CORS_ORIGINS", "https://app.example.com, https://App.example.com"),
        ("FACE_TRUSTED_PROXIES", "*"),
        ("FACE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("FACE_TRUSTED_PROXIES", "proxy.example.com"),
    ],
)
def test_the_error_of_an_invalid_path_origin_or_address_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"{name}: "):
        load_settings()


def test_a_list_is_separated_by_commas_and_printed_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_CORS_ORIGINS", "https://app.example.com, http://localhost:3000,")
    settings = load_settings()
    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000")
    text = next(variable.text for variable in list_variables(settings) if variable.name == "FACE_CORS_ORIGINS")
    assert text == "https://app.example.com,http://localhost:3000"


def test_every_setting_has_a_description() -> None:
    assert all(variable.sentence for variable in list_variables())


def test_the_list_of_settings_has_the_current_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_LOG__LEVEL", "debug")
    assert {variable.name: variable.value for variable in list_variables(load_settings())}["FACE_LOG__LEVEL"] == "debug"
