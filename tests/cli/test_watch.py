"""Rounds of a watch: when they come, and what they survive."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from momentarium_cli.cli import watch
from momentarium_cli.cli.watch import Watch
from momentarium_cli.client.changes import Changes
from momentarium_cli.client.imports import Options
from momentarium_cli.client.sdk import Momentarium
from momentarium_cli.client.settling import Settling
from momentarium_cli.errors import LockHeld, NotAllowed, NotMomentarium, ServerUnreachable
from momentarium_cli.photos.choice import Choice
from tests.cli.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    return made


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_SECONDS", "_FIRST_RETRY_SECONDS"):
        monkeypatch.setattr(watch, name, 0.05)
    monkeypatch.setattr(watch, "_RESCAN_SECONDS", 0.2)


def rounds(paths: Sequence[Path], number: int, upload: Callable[[int], None] = lambda _: None) -> list[list[Path]]:
    """What the first rounds were about; `upload` is told the number of each."""
    done: list[list[Path]] = []

    def one(present: Sequence[Path], _: Settling) -> None:
        done.append(list(present))
        upload(len(done))

    with Changes(paths, ignored=Path("/nowhere")) as changes:
        Watch(paths, one, lambda: len(done) >= number).run(changes)
    return done


def test_it_looks_again_even_if_nothing_is_told(folder: Path) -> None:
    assert rounds([folder], 3) == [[folder]] * 3


def test_a_server_that_is_away_is_waited_for(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def upload(number: int) -> None:
        if number < 3:
            raise ServerUnreachable("The server does not answer.")

    assert len(rounds([folder], 4, upload)) == 4
    assert capfd.readouterr().err.count("The server does not answer.") == 2


def test_what_another_run_has_the_lock_for_is_looked_at_again_soon(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_RESCAN_SECONDS", 3600.0)

    def upload(number: int) -> None:
        if number < 3:
            raise LockHeld("Another upload is running.")

    assert len(rounds([folder], 3, upload)) == 3
    assert capfd.readouterr().err == ""


def test_what_will_not_pass_ends_it(folder: Path) -> None:
    def upload(_: int) -> None:
        raise NotAllowed("The token is revoked.")

    with pytest.raises(NotAllowed):
        rounds([folder], 2, upload)


def test_what_answers_in_the_place_of_a_server_that_was_there_passes(folder: Path) -> None:
    def upload(number: int) -> None:
        if number > 1:
            raise NotMomentarium("It is not Momentarium.")

    assert len(rounds([folder], 3, upload)) == 3


def test_a_folder_that_is_gone_is_told_once_and_waited_for(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = folder.with_name("other")

    def upload(number: int) -> None:
        if number == 3:
            other.mkdir()

    done = rounds([folder, other], 5, upload)
    assert done == [[folder]] * 3 + [[folder, other]] * 2
    err = capfd.readouterr().err
    assert err.count(f"{other} is not there; it is waited for.") == 1
    assert err.count(f"{other} is there again.") == 1


def test_days_ago_are_counted_anew_in_each_round(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Choice] = []

    def open_import(*_: object, options: Options, **__: object) -> Any:
        chosen.append(options.choice)
        raise ServerUnreachable("It is away.") if len(chosen) < 3 else NotAllowed("The token is revoked.")

    calendar = SimpleNamespace(today=lambda: date(2024, 7, 31) + timedelta(days=len(chosen)))
    monkeypatch.setattr("momentarium_cli.cli.upload.date", calendar)
    monkeypatch.setattr(Momentarium, "open_import", open_import)
    server = ("--server", "http://127.0.0.1:1", "--token", "mom_x")
    said = cli("upload", folder, "--watch", "--since", "7d", "--until", "2024-09", "--json", *server)
    assert said.code == NotAllowed.exit_code
    assert [choice.since for choice in chosen] == [date(2024, 7, 24), date(2024, 7, 25), date(2024, 7, 26)]
    assert {choice.until for choice in chosen} == {date(2024, 9, 30)}
