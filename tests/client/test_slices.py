"""Files are signed in slices: soon enough that no sender waits, and seldom enough that requests cost little."""

from pathlib import Path
from uuid import uuid4

import pytest

from momentarium_cli.client.concurrency import Level
from momentarium_cli.client.records import File, FileState
from momentarium_cli.client.slices import Slices
from momentarium_cli.client.work import Progress, Work
from momentarium_cli.photos.prepared import Prepared
from tests.client.journals import STAT

SENDERS = 8
AT_MOST = 12  # are signed ahead for so many senders before a pace is known


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slices(clock: Clock) -> Slices:
    return Slices(Level(SENDERS), clock)


def work(size: int = 5 << 20) -> Work:
    file = File(1, Path("a.jpg"), STAT, FileState.FOUND, "a.jpg", None, None, None, None, None, None, None, None)
    return Work(file, Progress(uuid4(), 1), Prepared("ab" * 32, size, STAT, "image/jpeg"))


def add(slices: Slices, number: int, *, size: int = 5 << 20) -> None:
    for _ in range(number):
        slices.add(work(size))


def go_at(slices: Slices, clock: Clock, per_second: int, seconds: int = 4) -> None:
    """So many files a second were stored."""
    for _ in range(per_second * seconds):
        slices.stored()
        clock.now += 1 / per_second


def test_the_first_file_is_signed_at_once(slices: Slices) -> None:
    add(slices, 1)
    assert len(slices.take(0, more=True)) == 1
    assert len(slices) == 0


def test_before_a_pace_is_known_only_what_keeps_the_senders_busy_is_signed(slices: Slices) -> None:
    add(slices, 100)
    assert len(slices.take(0, more=True)) == AT_MOST
    assert slices.take(AT_MOST, more=True) == []
    assert len(slices.take(SENDERS, more=True)) == AT_MOST - SENDERS


@pytest.mark.parametrize(("size", "at_once"), [(180_000, 46), (1_000, 256), (700_000, AT_MOST)])
def test_small_files_do_not_wait_for_a_pace(slices: Slices, size: int, at_once: int) -> None:
    add(slices, 300, size=size)
    assert len(slices.take(0, more=True)) == at_once
    assert slices.take(at_once, more=True) == []


def test_the_pace_of_the_first_moment_counts(slices: Slices, clock: Clock) -> None:
    add(slices, 300)
    for _ in range(20):
        slices.stored()
    clock.now += 0.1
    assert len(slices.take(0, more=True)) > 100


def test_a_slice_is_no_larger_than_a_request_takes(slices: Slices, clock: Clock) -> None:
    go_at(slices, clock, per_second=500)
    add(slices, 1000)
    assert len(slices.take(0, more=True)) == 256


def test_no_more_is_signed_than_is_sent_in_two_seconds(slices: Slices, clock: Clock) -> None:
    go_at(slices, clock, per_second=20)
    add(slices, 500)
    assert len(slices.take(0, more=True)) == pytest.approx(AT_MOST + 40, abs=2)


def test_files_are_gathered_for_as_long_as_more_come(slices: Slices, clock: Clock) -> None:
    go_at(slices, clock, per_second=100)
    add(slices, 20)
    assert slices.take(0, more=True) == []
    assert len(slices.take(0, more=False)) == 20


def test_the_last_few_wait_while_there_is_enough_to_send(slices: Slices, clock: Clock) -> None:
    go_at(slices, clock, per_second=100)
    add(slices, 20)
    assert slices.take(60, more=False) == []
    assert len(slices.take(40, more=False)) == 20


def test_what_failed_is_signed_again_when_its_time_has_come(slices: Slices, clock: Clock) -> None:
    slices.again(work(), 3.0)
    slices.again(work(), 1.0)
    assert (slices.take(0, more=False), len(slices)) == ([], 2)
    clock.now += 1.0
    assert (len(slices.take(0, more=False)), len(slices)) == (1, 1)
    clock.now += 2.0
    assert len(slices.take(0, more=False)) == 1
