"""How long a file is tried, on a clock that a test turns."""

import pytest

from momentarium_cli.client import retries as module
from momentarium_cli.client.retries import Attempts, Retries
from momentarium_cli.errors import BadRequest, Forbidden, MomentariumError, StorageUnavailable, Throttled

AWAY = StorageUnavailable("away")
WRONG = BadRequest("bad_digest")
EXPIRED = Forbidden("too late", code="expired")


class Clock:
    """Retries, and one file of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.retries = Retries(lambda: self.now)
        self.file = Attempts()

    def fail(
        self, error: MomentariumError, *, after: float = 0.0, waited: float = 0.0, file: Attempts | None = None
    ) -> float | None:
        """The delay after a try that takes so many seconds, once its signature waited for so many."""
        self.now += waited + after
        return self.retries.delay(file or self.file, error, waited=waited)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_is_said_against_a_file_is_heard_five_times(clock: Clock) -> None:
    delays = [clock.fail(WRONG) for _ in range(5)]
    assert delays[-1] is None
    for number, delay in enumerate(delays[:-1], start=1):
        assert delay is not None and delay <= 0.2 * 2**number


def test_a_store_that_is_away_is_waited_for_and_not_longer_than_five_minutes(clock: Clock) -> None:
    tries = 0
    while (delay := clock.fail(AWAY, after=1)) is not None:
        clock.now += delay
        assert delay <= 10
        tries += 1
    assert tries > 20
    assert 300 <= clock.now < 320


def test_five_slow_tries_are_had_whatever_they_take(clock: Clock) -> None:
    assert [clock.fail(AWAY, after=600) is None for _ in range(5)] == [False] * 4 + [True]


def test_a_store_that_comes_back_in_between_is_away_anew(clock: Clock) -> None:
    for _ in range(30):
        assert clock.fail(AWAY, after=9) is not None
    clock.fail(WRONG)
    clock.retries.stored()
    assert clock.fail(AWAY, after=100) is not None


def test_a_store_that_lets_nothing_through_is_not_waited_for_with_every_file(clock: Clock) -> None:
    while clock.fail(AWAY, after=5) is not None:
        """It is given up."""
    assert clock.fail(AWAY, file=Attempts()) is None
    assert clock.retries.is_hopeless
    clock.retries.stored()
    assert not clock.retries.is_hopeless
    assert clock.fail(AWAY, file=Attempts()) is not None


def test_the_store_says_when_to_come_back_within_reason(clock: Clock) -> None:
    assert (clock.fail(Throttled("slower", retry_after=20)) or 0) >= 20
    assert clock.fail(Throttled("slower", retry_after=3600)) == module.MAX_RETRY_AFTER_SECONDS


def test_what_waited_too_long_for_its_turn_is_no_try(clock: Clock) -> None:
    assert [clock.fail(EXPIRED, waited=301) for _ in range(20)] == [0.0] * 20


def test_what_takes_too_long_to_send_is_not_sent_for_ever(clock: Clock) -> None:
    assert [clock.fail(EXPIRED, waited=2, after=400) is None for _ in range(5)] == [False] * 4 + [True]


def test_what_expires_at_once_is_the_clocks_fault_and_not_tried_for_ever(clock: Clock) -> None:
    assert [clock.fail(EXPIRED, after=1) is None for _ in range(5)] == [False] * 4 + [True]


def test_a_bucket_that_is_not_there_is_not_waited_for(clock: Clock) -> None:
    gone = StorageUnavailable("no bucket", code="no_bucket")
    assert [clock.fail(gone) is None for _ in range(5)] == [False] * 4 + [True]
