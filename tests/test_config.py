from pathlib import Path
from typing import Any

import pytest

from momentarium_cli import config
from momentarium_cli.errors import SettingsError

FILE = """
data_dir = "~/photos-data"
[server]
port = 9000
host = "0.0.0.0"
[profile.work]
data_dir = "/srv/work"
[profile.work.server]
port = 9100
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE, "utf-8")
    return path


def load(file: Path | None = None, environment: dict[str, str] | None = None, **more: Any) -> config.Settings:
    return config.load(file=file, environment=environment or {}, **more)


@pytest.fixture(autouse=True)
def _no_file_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "default_config_file", lambda: tmp_path / "nowhere" / "config.toml")


def test_without_anything_the_defaults_hold() -> None:
    settings = load()
    assert settings.data_dir.is_absolute()
    assert (settings.server.host, settings.server.port, settings.server.url) == ("127.0.0.1", 8787, None)
    assert set(settings.origins.values()) == {"default"}


def test_an_option_wins_over_the_environment_over_the_file_over_the_default(file: Path) -> None:
    environment = {"MOMENTARIUM_SERVER_PORT": "9001"}
    assert load(file).server.port == 9000
    assert load(file, environment).server.port == 9001
    settings = load(file, environment, options={"server.port": 9002, "server.url": None})
    assert settings.server.port == 9002
    assert settings.server.host == "0.0.0.0"
    assert settings.origins["server.port"] == "option"
    assert settings.origins["server.host"] == "file"
    assert settings.origins["server.url"] == "default"
    assert load(file, environment).origins["server.port"] == "MOMENTARIUM_SERVER_PORT"


def test_a_profile_overlays_the_file(file: Path) -> None:
    settings = load(file, profile="work")
    assert (settings.data_dir, settings.server.port, settings.server.host) == (Path("/srv/work"), 9100, "0.0.0.0")
    assert load(file).server.port == 9000


def test_the_home_folder_may_be_written_as_a_tilde(file: Path) -> None:
    assert load(file).data_dir == Path.home() / "photos-data"


def test_an_empty_variable_is_none() -> None:
    assert load(environment={"MOMENTARIUM_SERVER_PORT": ""}).server.port == 8787


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    file.write_text('colour = "red"\n[server]\nprot = 1\n[organizer]\nbackend = "magic"\n', "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file, {"MOMENTARIUM_SERVER_PORT": "many"}, profile="home")
    for part in ("colour", "server.prot", "organizer.backend", "local", "server.port", "MOMENTARIUM_SERVER_PORT",
                 "profile.home"):  # fmt: skip
        assert part in str(caught.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no file .*mine\.toml"):
        load(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"[server", b"[profile]\nhome = {}", b"[server]\nport = [1]", b"[server]\nport = {}", b"server = 3"],
)
def test_a_spoilt_file_is_a_settings_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError):
        load(path, profile="work")


def test_every_setting_has_an_environment_name_and_says_what_it_is_for() -> None:
    found = list(config.definitions())
    assert len({item.key for item in found}) == len(found) > 10
    for item in found:
        assert item.help
        assert item.environment == "MOMENTARIUM_" + item.key.upper().replace(".", "_")
        given = {item.environment: item.choices[0] if item.choices else "7"}
        assert str(load(environment=given).value(item.key)).endswith(given[item.environment])


def test_secrets_are_known_as_such() -> None:
    assert {item.key for item in config.definitions() if item.secret} == {
        "server.token", "server.secret_key", "database.url", "database.direct_url", "queue.qstash_token",
        "queue.qstash_current_signing_key", "queue.qstash_next_signing_key", "queue.api_secret",
        "queue.previous_api_secret",
    }  # fmt: skip
