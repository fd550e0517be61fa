import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from momentarium_cli import __version__
from momentarium_cli.cli import app as module
from momentarium_cli.errors import (
    JobFailed,
    LockHeld,
    MomentariumError,
    NotAllowed,
    NothingUsable,
    Stopped,
    Temporary,
    UsageError,
)
from tests.cli.conftest import Cli

HEAVY = (
    "httpx", "boto3", "botocore", "google", "psycopg", "PIL", "fastapi", "uvicorn", "procrastinate", "numpy",
    "rich.progress", "tomlkit", "pebble", "starlette", "rawpy", "pillow_heif", "exifread",
)  # fmt: skip


def commands() -> Iterator[tuple[str, ...]]:
    module.register()

    def walk(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, found in group.commands.items():
            yield (*path, name)
            if hasattr(found, "commands"):
                yield from walk(found, (*path, name))

    yield from walk(typer.main.get_command(module.app), ())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["upload", "--help"], ["-h"], ["no-such-command"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom momentarium_cli.cli import run\n"
        f"try:\n    run({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    environment = os.environ | {"MOMENTARIUM_DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_one_line(cli: Cli) -> None:
    for arguments in (["--version"], ["--version", "upload"]):
        said = cli(*arguments)
        assert (said.code, said.out) == (0, f"momentarium {__version__}\n")


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself_and_its_options(cli: Cli, path: tuple[str, ...]) -> None:
    said = cli(*path, "--help")
    assert said.code == 0
    described = said.out.split("\n\n")[1].strip()
    assert described.endswith((".", "…")) or ". " in described
    found: Any = typer.main.get_command(module.app)
    for name in path:
        found = found.commands[name]
    for parameter in found.params:
        if parameter.param_type_name == "option" and not parameter.hidden:
            assert parameter.help, f"{parameter.name} has no help"


@pytest.mark.parametrize(
    "path",
    [p for p in commands() if p not in (("albums",), ("users",), ("photos",), ("storage",), ("config",))],
    ids=" ".join,
)
def test_every_command_takes_the_common_options(cli: Cli, path: tuple[str, ...]) -> None:
    said = cli(*path, "--help")
    assert {"--config", "--profile", "--verbose"} <= set(said.out.replace(",", " ").split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"], ["nonsense"], ["upload"], ["upload", "--nonsense", "x"], ["upload", "--timeout", "soon", "x"],
        ["upload", "--lock-wait", "--lock-skip", "x"], ["upload", "--watch", "--retry-failed"],
        ["upload", "--since", "soon", "x"], ["upload", "--bwlimit", "soon", "x"], ["upload", "--report", "x.txt", "x"],
        ["status", "a", "b"], ["albums", "show", "x"], ["retry", "x"], ["cancel"], ["export"], ["users", "nonsense"],
        ["status", "--config", "/no/such/file"], ["status", "--profile", "nobody"], ["login", "no-address"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_usage_error_is_2_and_says_so(cli: Cli, arguments: list[str]) -> None:
    said = cli(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Error: " in said.err
    assert "Traceback" not in said.err


def test_no_command_shows_the_help(cli: Cli) -> None:
    said = cli()
    assert said.code == 2
    assert "momentarium upload ~/Photos" in said.out + said.err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`momentarium status` raises this."""

    def with_error(error: BaseException) -> None:
        from momentarium_cli.cli import session

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(session.Session, "momentarium", fail)

    return with_error


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (UsageError, 2),
        (NotAllowed, 4),
        (Temporary, 5),
        (JobFailed, 6),
        (NothingUsable, 8),
        (LockHeld, 75),
        (Stopped, 130),
    ],
)
def test_each_error_is_one_line_and_its_exit_code(
    cli: Cli, failing: Any, cls: type[MomentariumError], code: int
) -> None:
    failing(cls("It broke.", hint="Mend it."))
    said = cli("status")
    assert (said.code, said.out, said.err) == (code, "", "Error: It broke. Mend it.\n")


def test_a_bug_of_ours_is_1_and_names_the_log(cli: Cli, failing: Any, tmp_path: Path) -> None:
    failing(ValueError("an odd thing"))
    said = cli("status")
    log = tmp_path / "data" / "logs" / "client.log"
    assert said.code == 1
    assert said.err == f"Internal error: ValueError: an odd thing\nThe details are in {log}.\n"
    assert "Traceback" in log.read_text()


def test_ctrl_c_where_nothing_is_at_stake_is_130(cli: Cli, failing: Any) -> None:
    failing(KeyboardInterrupt())
    said = cli("status")
    assert said.code == 130
    assert "Traceback" not in said.err


def test_a_disk_that_is_full_is_told_with_the_remedy(cli: Cli, failing: Any, tmp_path: Path) -> None:
    failing(OSError(28, "No space left on device", str(tmp_path / "data" / "x")))
    said = cli("status")
    assert said.code == 5
    assert "is full. Free some space" in said.err


def test_names_that_are_not_utf8_are_logged_without_ado(cli: Cli, failing: Any, tmp_path: Path) -> None:
    failing(NothingUsable("Nothing to read: /tmp/\udcff."))
    said = cli("status")
    assert said.code == 8
    assert "Logging error" not in said.err
    assert "\\udcff" in (tmp_path / "data" / "logs" / "client.log").read_text()


def test_a_broken_pipe_is_quiet() -> None:
    child = subprocess.Popen([sys.executable, "-m", "momentarium_cli", "upload", "--help"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == b""
    child.wait()
    child.stderr.close()
