import sys
import time
from pathlib import Path

import pytest

from momentarium_cli.client.settling import Settling
from momentarium_cli.photos.scan import FileStat

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"x")
    return file


def look(settling: Settling, photo: Path) -> bool:
    settling.begin()
    return settling.has_settled(photo, FileStat.of(photo.stat()))


def test_what_was_written_long_ago_has_settled(photo: Path) -> None:
    assert look(Settling(now=lambda: time.time() + HOUR), photo)


def test_what_was_just_written_settles_some_seconds_later(photo: Path) -> None:
    now = Clock()
    now.now = photo.stat().st_mtime + 1
    settling = Settling(5, now=now)
    assert not look(settling, photo)
    assert settling.unsettled == 1
    now.now += 4.5
    assert look(settling, photo)
    assert settling.unsettled == 0


def test_a_time_that_lies_ahead_is_not_waited_for(photo: Path, clock: Clock) -> None:
    settling = Settling(5, clock, now=lambda: time.time() - HOUR)
    assert not look(settling, photo)
    clock.now += 4
    assert not look(settling, photo)
    clock.now += 1
    assert look(settling, photo)


def test_a_file_that_goes_on_growing_is_waited_for_anew(photo: Path, clock: Clock) -> None:
    settling = Settling(5, clock, now=lambda: time.time() - HOUR)
    for _ in range(3):
        assert not look(settling, photo)
        clock.now += 6
        photo.write_bytes(photo.read_bytes() + b"x")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_a_file_that_is_open_for_writing_has_not_settled(photo: Path) -> None:
    settling = Settling(5, now=lambda: time.time() + 60)
    with photo.open("ab"):
        assert not look(settling, photo)
    assert look(settling, photo)


def test_a_file_that_cannot_be_opened_is_left_to_who_reads_it(photo: Path) -> None:
    stat = FileStat.of(photo.stat())
    photo.unlink()
    assert Settling(5, now=lambda: time.time() + 60).has_settled(photo, stat)


def test_how_long_a_look_took(photo: Path, clock: Clock) -> None:
    settling = Settling(5, clock)
    stat = FileStat.of(photo.stat())
    settling.begin()
    assert settling.took == 0
    for _ in range(3):
        settling.has_settled(photo, stat)
        clock.now += 2
    assert settling.took == 4
