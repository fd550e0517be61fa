"""momentarium schedule"""

import os
import platform
import re
import shlex
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from momentarium_cli.cli import units
from momentarium_cli.cli.app import app, command
from momentarium_cli.cli.output import say
from momentarium_cli.cli.session import Session
from momentarium_cli.config import default_config_file, definitions
from momentarium_cli.errors import NotFound, NothingUsable, UsageError

if TYPE_CHECKING:
    from momentarium_cli.deploy.schedules import Schedule, Scheduler


class Kind(StrEnum):
    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    CRON = "cron"


Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders or photos.", show_default=False)]
Every = Annotated[
    float, typer.Option("--every", metavar="DURATION", parser=units.seconds, help="How often: 15m, 1h, 6h, 1d, 1w.")
]
Install = Annotated[bool, typer.Option("--install", help="Have it run from now on; else it is only printed.")]
Remove = Annotated[bool, typer.Option("--remove", help="Take the schedule of these paths away.")]
As = Annotated[Kind | None, typer.Option("--as", help="Who runs it; none: what this machine has.")]
Options = Annotated[
    str,
    typer.Option("--options", metavar="TEXT", help='More options for upload, such as "--max-transfer 2G".'),
]


_LOCKS = ("lock_wait", "lock_skip", "lock_join")
_OWN = ("server", "token", "config", "profile")


@command(app, client=True)
def schedule(
    session: Session,
    paths: Paths,
    every: Every = "1h",  # type: ignore[assignment]  # parsed like one that is given
    install: Install = False,
    remove: Remove = False,
    as_: As = None,
    options: Options = "",
) -> None:
    """Have the machine upload folders again and again: by systemd, launchd or cron.

    What is printed runs `momentarium upload -q --lock-skip` with the settings of this command: it says nothing where
    nothing is new, and leaves the field to an upload that is still running, unless --options say otherwise.

    Example: momentarium schedule ~/Photos --every 1h --install
    """
    from momentarium_cli.deploy.schedules import PREFIX, SCHEDULERS, Schedule, native
    from momentarium_cli.deploy.times import Times

    if install and remove:
        raise UsageError("--install and --remove exclude each other.")
    scheduler = SCHEDULERS[as_ or native()]()
    folders = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 -- without following links
    carried, environment = _options(session), dict(_environment(session))
    name = _name(PREFIX, folders, [*carried, *environment.values()])
    if remove:
        _remove(scheduler, name)
        return
    made = Schedule(
        name,
        f"Upload {', '.join(map(str, folders))} with Momentarium",
        [*_program(), "upload", "-q", *carried, *_more(options, folders), *map(str, folders)],
        environment,
        Times.every(every, zlib.crc32(f"{name} {platform.node()}".encode())),
    )
    if install:
        _install(scheduler, made, folders)
    else:
        typer.echo(scheduler.text(made), nl=False)
        say("Nothing was changed: with --install it runs from now on.")


def _install(scheduler: "Scheduler", made: "Schedule", folders: Sequence[Path]) -> None:
    missing = [str(folder) for folder in folders if not folder.exists()]
    if missing:
        raise NothingUsable(f"There is no {', '.join(missing)}.", hint="Name folders that exist.")
    scheduler.install(made)
    say(f"{made.name} is installed; the same command with --remove instead of --install takes it away.")
    if hint := scheduler.hint():
        say(hint)


def _remove(scheduler: "Scheduler", name: str) -> None:
    names = scheduler.names()
    if name not in names:
        others = f"There are others: {', '.join(names)}." if names else "There is none at all."
        raise NotFound("There is no schedule for these paths with these settings.", hint=others)
    scheduler.remove(name)
    say(f"{name} is gone.")


def _name(prefix: str, folders: Sequence[Path], settings: Sequence[str]) -> str:
    """The same for the same folders and settings, so that a schedule replaces itself and can be found."""
    word = re.sub(r"[^a-z0-9]+", "-", folders[0].name.lower()).strip("-")[:30]
    key = zlib.crc32("\0".join([*map(str, folders), *settings]).encode("utf-8", "surrogateescape"))
    return f"{prefix}{word or 'all'}-{key:08x}"


def _program() -> list[str]:
    """This program, wherever it is called from."""
    script = Path(sys.executable).with_name("momentarium")
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "momentarium_cli"]


def _options(session: Session) -> list[str]:
    """So that the same settings are read, although a scheduler has another environment."""
    file = session.config_file
    if file is None and os.environ.get("XDG_CONFIG_HOME") and default_config_file().exists():
        file = default_config_file()
    options = ["--config", str(file.absolute())] if file else []
    options += ["--profile", session.profile] if session.profile else []
    if session.settings.origins["server.url"] == "option":
        options += ["--server", str(session.settings.server.url)]
    return options


def _environment(session: Session) -> Iterator[tuple[str, str]]:
    """The settings that come from the environment; a secret has no place where others may read it."""
    for item in definitions():
        origin, value = session.settings.origins[item.key], session.settings.value(item.key)
        if item.key == "data_dir" and (origin == "option" or os.environ.get("XDG_DATA_HOME")):
            origin = item.environment
        if item.secret and origin not in ("default", "file"):
            say(f"{item.key} is secret and not written into the schedule: put it into {default_config_file()}.")
        elif origin not in ("default", "file", "option"):
            yield origin, str(value.absolute() if isinstance(value, Path) else value)


def _more(text: str, folders: Sequence[Path]) -> list[str]:
    """The options of upload that a text holds, once upload has understood them, and how it meets another upload."""
    from momentarium_cli.cli.upload import understand

    words = _words(text)
    given = _parsed(words, folders)
    _fit_for_a_schedule(given, folders)
    try:
        understand(**given)
    except UsageError as error:
        raise UsageError(f"--options: {error.message}", hint=error.hint) from error
    return words if any(given[lock] for lock in _LOCKS) else ["--lock-skip", *words]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--options cannot be read: {error}.") from error


def _parsed(words: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    """What the parser of upload makes of the words and the folders."""
    from typer._click.exceptions import ClickException
    from typer.main import get_group

    try:
        return get_group(app).commands["upload"].make_context("upload", [*words, *map(str, folders)]).params
    except ClickException as error:
        raise UsageError(f"--options: {error.format_message()}") from error
    except typer.Exit as shown:
        raise UsageError("--options is for upload, and this was its help.") from shown


def _fit_for_a_schedule(given: Mapping[str, Any], folders: Sequence[Path]) -> None:
    if given["watch"] or given["dry_run"] or given["paths"] != folders:
        raise UsageError("--options takes options of upload alone, and neither --watch nor --dry-run.")
    if own := [f"--{name}" for name in _OWN if given[name]]:
        raise UsageError(f"{' and '.join(own)} cannot be among --options.", hint="Those of schedule go along.")
    relative = [str(value) for value in given.values() if isinstance(value, Path) and not value.is_absolute()]
    if relative:
        raise UsageError(f"A schedule runs in another folder: write {', '.join(relative)} from / on.")
