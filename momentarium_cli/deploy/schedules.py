"""Schedules of this user, as the machine's own scheduler keeps them: systemd, launchd or cron."""

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from string import Template

from momentarium_cli.deploy.times import Times
from momentarium_cli.errors import UsageError

PREFIX = "momentarium-upload-"
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Schedule:
    """A command and when to run it. `name` begins with PREFIX; `what` is said of it where people look."""

    name: str
    what: str
    command: Sequence[str]
    environment: Mapping[str, str]
    times: Times

    def __post_init__(self) -> None:
        """UsageError: there is no way to write it down."""
        for value in (self.what, *self.command, *self.environment.values()):
            if not value.isprintable():
                raise UsageError(f"{value!r} cannot be part of a schedule.", hint="Rename the folder.")


class Scheduler(ABC):
    """A place for schedules. UsageError, in the words of the machine: it does not take one."""

    @abstractmethod
    def text(self, schedule: Schedule) -> str:
        """What `install` would write."""

    @abstractmethod
    def install(self, schedule: Schedule) -> None:
        """Write it and have it run from now on. It replaces one of the same name, which stays where this fails."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take one of `names` away."""

    @abstractmethod
    def names(self) -> list[str]:
        """Of the schedules that are there."""

    def hint(self) -> str:
        """What is good to know about those that run here."""
        return ""


class Systemd(Scheduler):
    """Timers of the user's own manager; for root, of the machine's."""

    def __init__(self) -> None:
        self._root = os.geteuid() == 0
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self._folder = Path("/etc/systemd/system") if self._root else config / "systemd" / "user"

    def text(self, schedule: Schedule) -> str:
        return "\n".join(f"# {path}\n{content}" for path, content in self._files(schedule).items())

    def install(self, schedule: Schedule) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self._files(schedule)
        with _as_before_on_failure(files, load=self._reload):
            for path, content in files.items():
                path.write_text(content, "utf-8")
            self._reload()
            self._systemctl("enable", "--now", f"{schedule.name}.timer")

    def remove(self, name: str) -> None:
        self._systemctl("disable", "--now", f"{name}.timer")
        for suffix in (".service", ".timer"):
            (self._folder / f"{name}{suffix}").unlink(missing_ok=True)
        self._reload()

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob(f"{PREFIX}*.timer"))

    def hint(self) -> str:
        if self._root:
            return ""
        return "It runs while you are logged in; `loginctl enable-linger` has it run always."

    def _files(self, schedule: Schedule) -> dict[Path, str]:
        variables = [f"Environment={_unit_quoted(f'{name}={value}')}" for name, value in schedule.environment.items()]
        values = {
            "what": schedule.what.replace("%", "%%"),
            "environment": "\n".join(variables),
            "command": " ".join(_unit_quoted(argument).replace("$", "$$") for argument in schedule.command),
            "calendar": schedule.times.calendar,
        }
        return {
            self._folder / f"{schedule.name}{suffix}": Template(_template(f"upload{suffix}")).substitute(values)
            for suffix in (".service", ".timer")
        }

    def _reload(self) -> None:
        self._systemctl("daemon-reload")

    def _systemctl(self, *arguments: str) -> None:
        _call("systemctl", *(() if self._root else ("--user",)), *arguments)


class Launchd(Scheduler):
    """Agents of the user on macOS."""

    def __init__(self) -> None:
        self._folder = Path.home() / "Library" / "LaunchAgents"
        self._log = Path.home() / "Library" / "Logs" / "momentarium.log"

    def text(self, schedule: Schedule) -> str:
        agent = {
            "Label": schedule.name,
            "ProgramArguments": list(schedule.command),
            "EnvironmentVariables": dict(schedule.environment),
            "StartCalendarInterval": schedule.times.intervals,
            "StandardOutPath": str(self._log),
            "StandardErrorPath": str(self._log),
            "ProcessType": "Background",
        }
        return plistlib.dumps(agent, sort_keys=False).decode("utf-8")

    def install(self, schedule: Schedule) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(schedule.name)
        with _as_before_on_failure([file], load=partial(self._load, file)):
            self._unload(schedule.name)
            file.write_text(self.text(schedule), "utf-8")
            self._load(file)

    def remove(self, name: str) -> None:
        self._unload(name)
        self._file(name).unlink()

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob(f"{PREFIX}*.plist"))

    def hint(self) -> str:
        return f"What it says is in {self._log}. macOS asks once whether it may read the folder."

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.plist"

    def _load(self, file: Path) -> None:
        if file.exists():
            _call("launchctl", "bootstrap", self._domain, str(file))

    def _unload(self, name: str) -> None:
        """An agent that is not loaded is an error for launchctl, with words that change, and not for us."""
        try:
            _call("launchctl", "bootout", f"{self._domain}/{name}")
        except UsageError:
            if self._is_loaded(name):
                raise

    def _is_loaded(self, name: str) -> bool:
        try:
            _call("launchctl", "print", f"{self._domain}/{name}")
        except UsageError:
            return False
        return True


class Cron(Scheduler):
    """Lines of the user's crontab; a comment at their end names them. Others are left as they are."""

    def text(self, schedule: Schedule) -> str:
        variables = [f"{name}={shlex.quote(value)}" for name, value in schedule.environment.items()]
        command = " ".join([*variables, shlex.join(schedule.command)]).replace("%", r"\%")
        return f"{schedule.times.cron} {command} # {schedule.name}\n"

    def install(self, schedule: Schedule) -> None:
        self._write([*self._without(schedule.name), self.text(schedule)])

    def remove(self, name: str) -> None:
        self._write(self._without(name))

    def names(self) -> list[str]:
        return sorted(word for line in self._lines() if (word := line.rsplit("# ", 1)[-1].strip()).startswith(PREFIX))

    def hint(self) -> str:
        return "What it says comes by mail, where this machine delivers mail."

    def _without(self, name: str) -> list[str]:
        return [line for line in self._lines() if not line.rstrip().endswith(f"# {name}")]

    def _lines(self) -> list[str]:
        """There is none yet: that is an error for crontab, and not for us."""
        try:
            text = _call("crontab", "-l")
        except UsageError as error:
            if "no crontab" in str(error):
                return []
            raise
        return text.splitlines(keepends=True)

    def _write(self, lines: Sequence[str]) -> None:
        text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
        _call("crontab", "-", stdin=text)


def native() -> str:
    """The scheduler that this machine has."""
    if sys.platform == "darwin":
        return "launchd"
    if Path("/run/systemd/system").is_dir() and shutil.which("systemctl"):  # as sd_booted(3) tells it
        return "systemd"
    return "cron"


SCHEDULERS: Mapping[str, type[Scheduler]] = {"systemd": Systemd, "launchd": Launchd, "cron": Cron}


@contextmanager
def _as_before_on_failure(files: Iterable[Path], *, load: Callable[[], None]) -> Iterator[None]:
    """Where what is done meanwhile fails, the files are made what they were, and loaded if the machine lets us."""
    former = {file: file.read_bytes() if file.exists() else None for file in files}
    try:
        yield
    except BaseException:
        for file, content in former.items():
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(content)
        with suppress(UsageError):
            load()
        raise


def _template(name: str) -> str:
    return resources.files("momentarium_cli.deploy").joinpath(name).read_text("utf-8")


def _unit_quoted(text: str) -> str:
    """See systemd.syntax(7); percent signs stand for specifiers."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    plain = text and all(char.isalnum() or char in "/._=:,@+-%" for char in text)
    return escaped if plain else f'"{escaped}"'


def _call(*command: str, stdin: str = "") -> str:
    """What a program of the machine prints."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{command[0]} cannot be used here: {error}.", hint="Choose another with --as.") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = said[-1] if said else f"it ended with {done.returncode}"
        raise UsageError(f"`{' '.join(command)}` failed: {reason.rstrip('.')}.", hint="Choose another with --as.")
    return done.stdout
