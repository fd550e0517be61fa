"""Limits of bandwidth, on clocks that a test turns; and once on a real one, from several threads."""

import time
from datetime import datetime
from threading import Event, Thread

import pytest

from momentarium_cli.client.bandwidth import Bandwidth, Timetable
from momentarium_cli.errors import Stopped, UsageError

MIB = 1 << 20
MONDAY = datetime(2024, 5, 6)


def at(text: str, day: int = 0) -> time.struct_time:
    hours, _, minutes = text.partition(":")
    return MONDAY.replace(day=MONDAY.day + day, hour=int(hours), minute=int(minutes)).timetuple()


class Clock:
    """Seconds since Monday, 07:00."""

    def __init__(self, text: str) -> None:
        self.now = 0.0
        self.began = at("7:00")
        self.stop = False
        self.bandwidth = Bandwidth(
            Timetable.read(text), Event(), clock=lambda: self.now, wall=self._wall, wait=self._wait
        )

    def _wall(self) -> time.struct_time:
        return time.gmtime(MONDAY.timestamp() - datetime(1970, 1, 1).timestamp() + 7 * 3600 + self.now)

    def _wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.stop

    def take(self, size: int) -> float:
        """Seconds until it may be sent."""
        before = self.now
        self.bandwidth.take(size)
        return self.now - before


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10M", 10 * MIB), ("10m", 10 * MIB), ("1.5G", 1.5 * 1024 * MIB), ("512k", 512 * 1024), ("512", 512 * 1024),
        ("100B", 100), (".5M", MIB / 2), ("off", None), ("OFF", None), ("0", None),
    ],
)  # fmt: skip
def test_a_rate_is_told_as_rclone_has_it(text: str, rate: float | None) -> None:
    assert Timetable.read(text).rate(at("12:00")) == rate


def test_a_timetable_holds_until_its_next_entry_and_over_midnight() -> None:
    table = Timetable.read("08:00,1M 22:00,off 23:30,512k")
    rates = {text: table.rate(at(text)) for text in ("08:00", "21:59", "22:00", "23:29", "23:30", "00:00", "07:59")}
    night = 512 * 1024
    assert list(rates.values()) == [MIB, MIB, None, None, night, night, night]


def test_days_of_the_week() -> None:
    table = Timetable.read("Mon-08:00,1M Friday-18:00,off")
    assert [table.rate(at("12:00", day)) for day in range(7)] == [MIB] * 5 + [None] * 2
    assert table.rate(at("07:59")) is None
    assert table.rate(at("18:00", day=4)) is None


@pytest.mark.parametrize(
    "text",
    ["", "fast", "10X", "-1M", "08:00", "24:00,1M", "08:60,1M", "Foo-08:00,1M", "08:00,", "08:00,1M 10M", "1M 2M"],
)
def test_what_is_no_limit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="08:00,1M"):
        Timetable.read(text)


def test_bytes_come_at_their_rate_however_they_are_cut() -> None:
    clock = Clock("1M")
    for _ in range(40):
        clock.take(MIB // 4)
    assert clock.now == pytest.approx(10, abs=0.5)


def test_what_was_not_sent_in_its_time_is_not_made_up_for() -> None:
    clock = Clock("1M")
    clock.take(MIB)
    clock.now += 60
    assert clock.take(MIB) == 0
    assert clock.take(MIB) == pytest.approx(1)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock("off")
    assert [clock.take(100 * MIB) for _ in range(3)] == [0, 0, 0]


def test_a_wait_ends_when_the_timetable_lifts_the_limit() -> None:
    clock = Clock("00:00,1k 07:01,off")
    clock.take(100 * MIB)
    assert clock.take(MIB) == pytest.approx(60, abs=1.5)


def test_a_limit_that_begins_holds_from_then_on() -> None:
    clock = Clock("00:00,off 07:01,1M")
    assert clock.take(100 * MIB) == 0
    clock.now = 60
    clock.take(MIB)
    assert clock.take(MIB) == pytest.approx(1)


def test_a_clock_that_is_put_back_changes_nothing_but_what_the_timetable_says() -> None:
    clock = Clock("07:30,1M 09:00,off")
    clock.now = 3600.0
    assert clock.take(MIB) == 0
    clock.bandwidth._wall = lambda: at("07:40")  # summer time ends: 08:40 is 07:40 again
    assert clock.take(MIB) == pytest.approx(1)


def test_a_stop_ends_the_wait() -> None:
    clock = Clock("1k")
    clock.take(MIB)
    clock.stop = True
    with pytest.raises(Stopped):
        clock.take(MIB)


@pytest.mark.parametrize(("text", "piece"), [("off", 1 << 18), ("100M", 1 << 18), ("100k", 25600), ("1k", 1024)])
def test_pieces_are_small_where_little_is_let_through(text: str, piece: int) -> None:
    assert Clock(text).bandwidth.piece == piece


def test_senders_share_it() -> None:
    bandwidth = Bandwidth(Timetable.read("1M"), Event())
    began = time.monotonic()

    def send() -> None:
        for _ in range(8):
            bandwidth.take(16 << 10)

    threads = [Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.45, "half a MiB takes half a second, but for the last piece"
