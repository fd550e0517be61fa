"""No AI sees a photo before its owner said so: the real program at a real terminal, and without one."""

import os
import select
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from momentarium_cli.cli.consent import is_open
from momentarium_cli.cli.session import Session
from momentarium_cli.config import load
from tests.acceptance.photos import JULY, event
from tests.acceptance.program import PATIENCE_SECONDS, Program, program
from tests.gemini import KEY, GeminiServer, running_gemini

if sys.platform == "win32":
    pytest.skip("there are no such terminals", allow_module_level=True)
import pty

QUESTION = "Let Gemini see your events from now on? [y/N]"


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with running_gemini() as running:
        yield running


@pytest.fixture
def momentarium(server: GeminiServer) -> Iterator[Program]:
    """The program with a key in its environment."""
    with program(GEMINI_API_KEY=KEY, GOOGLE_GEMINI_BASE_URL=server.url) as made:
        event(made.folder / "photos", 6)
        yield made


def at_terminal(made: Program, *arguments: object, answer: str = "") -> str:
    """What a command shows at a terminal; what is answered when it asks."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        made.command(*arguments),
        env=made.environment | {"TERM": "dumb", "COLUMNS": "160"},
        cwd=made.folder,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    said, deadline = "", time.monotonic() + PATIENCE_SECONDS
    with suppress(OSError):  # EIO is the end of a terminal
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                said += os.read(ours, 4096).decode("utf-8", "replace")
            if answer and QUESTION in said:
                os.write(ours, answer.encode())
                answer = ""
    os.close(ours)
    assert process.wait(timeout=PATIENCE_SECONDS) == 0, said
    return said.replace("\r", "")


def stored(made: Program) -> dict[str, Any]:
    file = made.folder / "c" / "momentarium" / "config.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.exists() else {}


def test_after_a_yes_gemini_is_asked_and_nobody_is_asked_again(momentarium: Program, server: GeminiServer) -> None:
    said = at_terminal(momentarium, "upload", "photos", answer="y\n")
    assert "at most about $0.01 for these 6 photos, and never more than $1.00 a month" in said
    assert "the names of its places and named folders" in said
    assert "Picnic B" in said and "Asking the model cost $0.00" in said and len(server.asked) == 1
    assert stored(momentarium) == {"organizer": {"backend": "gemini", "api_key": KEY}}
    momentarium.end()
    event(momentarium.folder / "photos", 6, JULY, seed=1)
    assert QUESTION not in at_terminal(momentarium, "upload", "photos")
    assert len(server.of("names")) == 2


def test_an_upload_says_what_did_not_come_of_the_model(server: GeminiServer) -> None:
    server.key = "another"
    chosen = {"MOMENTARIUM_ORGANIZER_BACKEND": "gemini", "GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.url}
    with program(**chosen) as made:
        event(made.folder / "photos", 6)
        assert "1 of 1 events have local titles: the key is not accepted." in made.ok("upload", "photos").err


def test_after_enter_nothing_is_sent_and_nobody_is_asked_again(momentarium: Program, server: GeminiServer) -> None:
    said = at_terminal(momentarium, "upload", "photos", answer="\n")
    assert "Nothing is sent; that is stored in" in said
    assert stored(momentarium) == {"organizer": {"backend": "local"}}
    momentarium.end()
    event(momentarium.folder / "photos", 6, seed=1)
    assert QUESTION not in at_terminal(momentarium, "upload", "photos")
    assert server.asked == []


def test_without_a_person_nobody_is_asked_and_nothing_is_sent(momentarium: Program, server: GeminiServer) -> None:
    for arguments in (["upload", "photos"], ["upload", "--json", "photos"]):
        done = momentarium.ok(*arguments)
        assert QUESTION not in done.err and QUESTION not in done.out
    momentarium.end()
    for arguments in (["upload", "--json", "photos"], ["upload", "--dry-run", "photos"]):
        assert QUESTION not in at_terminal(momentarium, *arguments)
    assert (server.asked, stored(momentarium)) == ([], {})


def test_of_a_server_that_runs_already_whoever_started_it_decides(momentarium: Program, server: GeminiServer) -> None:
    momentarium.ok("status")
    assert QUESTION not in at_terminal(momentarium, "upload", "photos")
    assert (server.asked, stored(momentarium)) == ([], {})


def test_a_no_stays_beside_what_the_file_says_otherwise(momentarium: Program) -> None:
    file = momentarium.folder / "c" / "momentarium" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("# mine\n[organizer]\nlanguage = 'de'  # as it should be\n", "utf-8")
    at_terminal(momentarium, "upload", "photos", answer="n\n")
    assert file.read_text("utf-8").startswith("# mine\n[organizer]\nlanguage = 'de'  # as it should be\n")
    assert stored(momentarium) == {"organizer": {"language": "de", "backend": "local"}}


def test_nobody_is_asked_about_a_server_that_others_run(tmp_path: Path) -> None:
    def session(**environment: str) -> Session:
        given = {"MOMENTARIUM_DATA_DIR": str(tmp_path), **environment}
        return Session(load(file=None, environment=given), None, None, 0, tmp_path / "log")

    assert is_open(session(GEMINI_API_KEY="k"))
    assert not is_open(session())
    assert not is_open(session(GEMINI_API_KEY="k", MOMENTARIUM_SERVER_URL="https://photos.example.org"))
    assert not is_open(session(GEMINI_API_KEY="k", MOMENTARIUM_ORGANIZER_BACKEND="local"))
