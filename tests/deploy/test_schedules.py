"""A command is written so that the scheduler runs it with the very same arguments."""

import plistlib
import shlex

import pytest

from momentarium_cli.deploy.schedules import Cron, Launchd, Schedule, Systemd
from momentarium_cli.deploy.times import Times

COMMAND = ["momentarium", "upload", "--exclude", "", "/photos"]


@pytest.fixture
def schedule() -> Schedule:
    return Schedule("momentarium-upload-photos", "Upload /photos", COMMAND, {}, Times.every(3600, 0))


def test_systemd_gets_an_empty_argument(schedule: Schedule) -> None:
    assert 'ExecStart=momentarium upload --exclude "" /photos\n' in Systemd().text(schedule)


def test_cron_gets_an_empty_argument(schedule: Schedule) -> None:
    line = Cron().text(schedule).split(maxsplit=5)[5]
    assert shlex.split(line, comments=True) == COMMAND


def test_launchd_gets_an_empty_argument(schedule: Schedule) -> None:
    assert plistlib.loads(Launchd().text(schedule).encode())["ProgramArguments"] == COMMAND
