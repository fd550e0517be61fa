"""momentarium schedule: what schedulers get is what they take, and taking it away leaves nothing."""

import json
import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

AWKWARD = 'My 100% "Photos" \'n $HOME'
FAKE = """#!{python}
import json, pathlib, sys
here = pathlib.Path({folder!r})
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[0].endswith("crontab"):
    table = here / "table"
    if sys.argv[1:] == ["-l"]:
        if not table.exists():
            sys.exit("no crontab for anna")
        print(table.read_text(), end="")
    else:
        table.write_text(sys.stdin.read())
elif (broken := here / "broken").exists() and any(word in broken.read_text().split() for word in sys.argv):
    sys.exit("Failed to connect to bus: No medium found")
"""


class Machine:
    """Schedulers that only note what they are told, and refuse what is broken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("crontab", "systemctl", "launchctl"):
            program = folder / name
            program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
            program.chmod(0o755)

    def breaks(self, *commands: str) -> None:
        (self.folder / "broken").write_text(" ".join(commands))

    @property
    def calls(self) -> list[list[str]]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def table(self) -> str:
        return (self.folder / "table").read_text()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return Machine(folder)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / AWKWARD
    folder.mkdir()
    return folder


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    return tmp_path / "Library" / "LaunchAgents"


def cron_argv(line: str) -> list[str]:
    """What sh makes of the command of a crontab line, as cron hands it over."""
    command = line.split(" ", 5)[5].replace(r"\%", "%")
    printed = "import json, os, sys; print(json.dumps([os.environ['MOMENTARIUM_DATA_DIR'], *sys.argv[1:]]))"
    program = shlex.join(schedules_program())
    assert program in command
    with_print = command.replace(program, f"{shlex.quote(sys.executable)} -c {shlex.quote(printed)}", 1)
    argv: list[str] = json.loads(subprocess.run(["sh", "-c", with_print], capture_output=True, check=True).stdout)
    return argv


def schedules_program() -> list[str]:
    from momentarium_cli.cli.schedule import _program

    return _program()


def test_a_crontab_line_runs_a_quiet_upload_with_the_same_settings(cli: Cli, photos: Path, tmp_path: Path) -> None:
    said = cli("schedule", photos, "--every", "6h", "--as", "cron", "--options", "--max-transfer 2G")
    assert said.code == 0, said
    expected = ["upload", "-q", "--lock-skip", "--max-transfer", "2G", str(photos)]
    assert cron_argv(said.out.rstrip("\n")) == [str(tmp_path / "data"), *expected]
    assert "Nothing was changed" in said.err


def test_a_crontab_keeps_its_other_lines(cli: Cli, machine: Machine, photos: Path) -> None:
    (machine.folder / "table").write_text("MAILTO=anna\n5 4 * * * backup # mine")
    for every in ("1h", "1d"):
        assert cli("schedule", photos, "--every", every, "--install", "--as", "cron").code == 0
    lines = machine.table.splitlines()
    assert lines[:2] == ["MAILTO=anna", "5 4 * * * backup # mine"]
    assert len(lines) == 3
    assert lines[2].split()[2:5] == ["*", "*", "*"]
    assert cli("schedule", photos, "--remove", "--as", "cron").code == 0
    assert machine.table.splitlines() == lines[:2]


def test_the_first_line_of_a_crontab(cli: Cli, machine: Machine, photos: Path) -> None:
    assert cli("schedule", photos, "--install", "--as", "cron").code == 0
    assert len(machine.table.splitlines()) == 1


def test_a_timer_is_written_and_enabled_and_taken_away(
    cli: Cli, machine: Machine, photos: Path, config_file: Path
) -> None:
    units = config_file.parents[1] / "systemd" / "user"
    said = cli("schedule", photos, "--install", "--as", "systemd")
    assert said.code == 0, said
    assert "loginctl enable-linger" in said.err
    timer, service = sorted(units.iterdir(), reverse=True)
    assert (timer.suffix, service.suffix) == (".timer", ".service")
    assert machine.calls == [["--user", "daemon-reload"], ["--user", "enable", "--now", timer.name]]
    assert cli("schedule", photos, "--remove", "--as", "systemd").code == 0
    assert list(units.iterdir()) == []
    assert ["--user", "disable", "--now", timer.name] in machine.calls


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(cli: Cli, machine: Machine, photos: Path, config_file: Path) -> None:
    cli("schedule", photos, "--install", "--as", "systemd")
    units = sorted((config_file.parents[1] / "systemd" / "user").iterdir())
    done = subprocess.run(["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_timer_that_cannot_be_enabled_leaves_nothing(
    cli: Cli, machine: Machine, photos: Path, config_file: Path
) -> None:
    machine.breaks("daemon-reload", "enable")
    said = cli("schedule", photos, "--install", "--as", "systemd")
    assert said.code == 2
    assert "Failed to connect to bus: No medium found. Choose another with --as." in said.err
    assert list((config_file.parents[1] / "systemd" / "user").iterdir()) == []


@pytest.mark.parametrize("broken", ["daemon-reload", "enable"])
def test_a_timer_that_works_stays_where_its_successor_cannot_be_enabled(
    cli: Cli, machine: Machine, photos: Path, config_file: Path, broken: str
) -> None:
    def units() -> dict[Path, str]:
        return {path: path.read_text() for path in (config_file.parents[1] / "systemd" / "user").iterdir()}

    assert cli("schedule", photos, "--install", "--as", "systemd").code == 0
    before = units()
    machine.breaks(broken)
    said = cli("schedule", photos, "--every", "6h", "--install", "--as", "systemd", "--options", "--order newest")
    assert said.code == 2
    assert units() == before
    assert machine.calls[-1] == ["--user", "daemon-reload"]  # what was put back is what counts


def test_an_agent_of_launchd(cli: Cli, machine: Machine, photos: Path, agents: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert cli("schedule", photos, "--every", "12h", "--install", "--as", "launchd").code == 0
    (file,) = agents.iterdir()
    agent = plistlib.loads(file.read_bytes())
    assert agent["ProgramArguments"] == [*schedules_program(), "upload", "-q", "--lock-skip", str(photos)]
    assert agent["EnvironmentVariables"] == {"MOMENTARIUM_DATA_DIR": str(tmp_path / "data")}
    assert len(agent["StartCalendarInterval"]) == 2
    assert [call[0] for call in machine.calls] == ["bootout", "bootstrap"] * 2
    assert cli("schedule", photos, "--remove", "--as", "launchd").code == 0
    assert not file.exists()


def test_an_agent_that_is_not_loaded_is_replaced_and_taken_away(
    cli: Cli, machine: Machine, photos: Path, agents: Path
) -> None:
    machine.breaks("bootout", "print")
    for every in ("12h", "1d"):
        assert cli("schedule", photos, "--every", every, "--install", "--as", "launchd").code == 0
    (file,) = agents.iterdir()
    assert len(plistlib.loads(file.read_bytes())["StartCalendarInterval"]) == 1
    assert cli("schedule", photos, "--remove", "--as", "launchd").code == 0
    assert list(agents.iterdir()) == []


def test_an_agent_that_stays_loaded_is_not_taken_away(cli: Cli, machine: Machine, photos: Path, agents: Path) -> None:
    assert cli("schedule", photos, "--install", "--as", "launchd").code == 0
    machine.breaks("bootout")
    assert cli("schedule", photos, "--remove", "--as", "launchd").code == 2
    assert len(list(agents.iterdir())) == 1


def test_an_agent_that_works_stays_where_its_successor_is_not_taken(
    cli: Cli, machine: Machine, photos: Path, agents: Path
) -> None:
    assert cli("schedule", photos, "--every", "12h", "--install", "--as", "launchd").code == 0
    (file,) = agents.iterdir()
    before = file.read_bytes()
    machine.breaks("bootstrap")
    assert cli("schedule", photos, "--every", "1d", "--install", "--as", "launchd").code == 2
    assert file.read_bytes() == before
    assert [call[0] for call in machine.calls[-3:]] == ["bootout", "bootstrap", "bootstrap"]  # the last is the former


def test_an_agent_that_is_not_taken_leaves_nothing(cli: Cli, machine: Machine, photos: Path, agents: Path) -> None:
    machine.breaks("bootstrap")
    assert cli("schedule", photos, "--install", "--as", "launchd").code == 2
    assert list(agents.iterdir()) == []


def test_settings_go_along_and_secrets_do_not(
    cli: Cli, photos: Path, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOMENTARIUM_SERVER_TOKEN", "mom_secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    config_file.parent.mkdir(parents=True)
    config_file.write_text("[profile.work]\n")
    said = cli("schedule", photos, "--as", "cron", "--profile", "work", "--server", "https://photos.example.org")
    assert f"--config {config_file} --profile work --server https://photos.example.org" in said.out
    assert "AWS_REGION=eu-central-1" in said.out
    assert "mom_secret" not in said.out
    assert "server.token is secret and not written into the schedule" in said.err


def test_schedules_are_known_by_paths_and_settings(cli: Cli, machine: Machine, photos: Path, tmp_path: Path) -> None:
    cli("schedule", photos, "--install", "--as", "cron")
    said = cli("schedule", tmp_path, "--remove", "--as", "cron")
    assert said.code == 2
    assert "There are others: momentarium-upload-my-100-photos-n-home-" in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--install", "--remove"], "exclude each other"),
        (["--every", "7m"], "A schedule cannot be every 420 s. There are 1, 2, 3"),
        (["--options", "--foo"], "No such option: --foo"),
        (["--options", "'"], "--options cannot be read"),
        (["--options", "/other"], "options of upload alone"),
        (["--options", "--watch"], "neither --watch nor --dry-run"),
        (["--options", "--watch --lock-join"], "neither --watch nor --dry-run"),
        (["--options", "--dry-run"], "neither --watch nor --dry-run"),
        (["--options", "--exclude"], "options of upload alone"),
        (["--options", "--help"], "this was its help"),
        (["--options", "--report a.csv"], "write a.csv from / on"),
        (["--options", "--report /no/such/folder/a.csv"], "--options: There is no folder /no/such/folder"),
        (["--options", "--report /tmp/a.txt"], "--options: /tmp/a.txt is no name for a report. Let it end in .csv"),
        (["--options", "--metrics-file /tmp/a.csv"], "--options: /tmp/a.csv is no name for metrics"),
        (["--options", "--lock-wait --lock-join"], "--options: --lock-wait and --lock-join exclude each other"),
        (["--options", "--bwlimit nonsense"], "--options: 'nonsense' is no limit of bandwidth. Say 10M"),
        (["--options", "--since yesterday"], "--options: 'yesterday' is no date. Write a day"),
        (["--options", "--type docx"], "--options: 'docx' names no types of photos"),
        (["--options", "--exclude !"], "Patterns are written as in .gitignore."),
        (["--options", "--token mom_secret"], "--token cannot be among --options. Those of schedule go along."),
        (["--options", "--config /no/such/file"], "--config cannot be among --options"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(cli: Cli, photos: Path, arguments: list[str], told: str) -> None:
    said = cli("schedule", photos, "--as", "cron", *arguments)
    assert said.code == 2
    assert told in said.err
    assert "upload -q" not in said.out


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ("", ["--lock-skip"]),
        ("--lock-wait", ["--lock-wait"]),
        ("--lock-join", ["--lock-join"]),
        ("--lock-skip", ["--lock-skip"]),
    ],
)
def test_one_lock_option_is_scheduled_the_given_one_or_skip(
    cli: Cli, photos: Path, options: str, argument: list[str]
) -> None:
    said = cli("schedule", photos, "--as", "cron", "--options", options)
    assert said.code == 0, said
    assert [word for word in cron_argv(said.out.rstrip("\n")) if word.startswith("--lock")] == argument


def test_days_ago_are_scheduled_as_they_are_written(cli: Cli, photos: Path) -> None:
    said = cli("schedule", photos, "--as", "cron", "--options", "--since 7d --until 1d")
    assert "--since 7d --until 1d" in " ".join(cron_argv(said.out.rstrip("\n")))


def test_folders_must_be_there_to_be_scheduled(cli: Cli, machine: Machine, tmp_path: Path) -> None:
    said = cli("schedule", tmp_path / "nowhere", "--install", "--as", "cron")
    assert said.code == 8
    assert machine.calls == []


def test_a_name_with_a_line_break_is_refused(cli: Cli, tmp_path: Path) -> None:
    said = cli("schedule", tmp_path / "a\nb", "--as", "cron")
    assert said.code == 2
    assert "cannot be part of a schedule" in said.err
