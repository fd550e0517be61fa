from pathlib import Path

import pytest

from momentarium_cli.config import definitions
from tests.cli.conftest import Cli


def test_every_setting_is_shown_with_where_it_came_from(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, config_file: Path
) -> None:
    config_file.parent.mkdir(parents=True)
    config_file.write_text("[server]\nport = 9000\n[profile.home.server]\nport = 9001\n")
    monkeypatch.setenv("MOMENTARIUM_SERVER_HOST", "0.0.0.0")
    said = cli("config", "--server", "https://photos.example.org")
    for item in definitions():
        assert f"{item.key} = " in said.out
        assert item.environment in said.out
    assert "server.port = 9000  (file)" in said.out
    assert "server.host = 0.0.0.0  (MOMENTARIUM_SERVER_HOST)" in said.out
    assert "server.url = https://photos.example.org  (option)" in said.out
    assert "organizer.backend = local  (default)" in said.out
    assert str(config_file) in said.err
    assert "server.port = 9001" in cli("config", "--profile", "home").out


def test_secrets_are_never_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for item in definitions():
        if item.secret:
            monkeypatch.setenv(item.environment, "hush-hush")
    for arguments in (["config"], ["config", "--json"], ["config", "-vv"]):
        said = cli(*arguments)
        assert said.code == 0
        assert "hush-hush" not in said.out + said.err


def test_all_that_is_wrong_is_told_at_once(cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config_file.parent.mkdir(parents=True)
    config_file.write_text('colour = "blue"\n[server]\nport = "many"\n')
    monkeypatch.setenv("MOMENTARIUM_ORGANIZER_BACKEND", "astrologer")
    said = cli("config")
    assert said.code == 2
    for problem in ("server.port", "organizer.backend", "colour is not a setting"):
        assert problem in said.err
    assert len(said.err.splitlines()) == 1
